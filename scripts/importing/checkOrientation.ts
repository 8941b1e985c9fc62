/**
 * A dictionary with as many latents as the activations are wide has square matrices, whose shape doesn't tell which way
 * round they are. The format's documentation does, but files by other hands exist; so the reconstruction is asked too.
 */
import type { Capture } from '../../sae/activations/openCapture.ts';
import { LazyscopeError } from '../../sae/errors.ts';
import type { ImportedDictionary, Transposed } from '../../sae/formats/dictionaryWeights.ts';
import { sampleFigures, type SampleFigures } from './sampleFigures.ts';

/** The documented reading is doubted when another leaves less than this share of its error, and less than the mean activation does. */
const farBetter = 0.5;

export interface Reading {
  dictionary: ImportedDictionary;
  path: string;
  /** What the person said of its orientation, which is not doubted. */
  asked: Transposed | undefined;
  readAs(transposed: Transposed): Promise<ImportedDictionary>;
}

/** Throws `bad_input` when another reading reconstructs far better, naming the option that takes it. */
export async function checkOrientation(
  { dictionary, path, asked, readAs }: Reading,
  capture: Capture,
  hook: string,
  output = hook,
): Promise<SampleFigures> {
  const figures = sampleFigures(dictionary, capture, hook, output);
  if (dictionary.latents !== dictionary.d || asked !== undefined || figures.fvu === null) return figures;
  let best: { transposed: Transposed; fvu: number } = { transposed: 'none', fvu: figures.fvu };
  for (const transposed of ['encoder', 'decoder', 'both'] as const) {
    const { fvu } = sampleFigures(await readAs(transposed), capture, hook, output);
    if (fvu !== null && fvu < best.fvu) best = { transposed, fvu };
  }
  const { transposed, fvu } = best;
  if (fvu >= farBetter * figures.fvu || fvu >= 1) return figures;
  throw new LazyscopeError(
    'bad_input',
    `'${path}' has square matrices, and reconstructs '${hook}' far better with ${transposed === 'both' ? 'both of them' : `that of the ${transposed}`} transposed (FVU ${fvu.toPrecision(3)} for ${figures.fvu.toPrecision(3)}): say --transposed ${transposed}, or --transposed none to leave it as it is.`,
  );
}
