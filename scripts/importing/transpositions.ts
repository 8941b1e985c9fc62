import { importDictionaries } from '../../sae/spec/jobs/import.ts';
import type { Transposed } from '../../sae/formats/dictionaryWeights.ts';

/** What `--transposed` takes. */
export const transpositions = importDictionaries.options.transposed.field
  .choices satisfies readonly Transposed[];
