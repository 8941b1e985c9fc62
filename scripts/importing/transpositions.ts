import type { Transposed } from '../../sae/formats/dictionaryWeights.ts';

/** What `--transposed` takes. */
export const transpositions = ['encoder', 'decoder', 'both', 'none'] as const satisfies readonly Transposed[];
