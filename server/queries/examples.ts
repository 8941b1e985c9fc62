/** Examples of features and neurons as answers have them: stretches of text around activations. */
import type { exampleTable } from '../../sae/spec/tables/examples.ts';
import type { stretchColumns } from '../../sae/spec/tables/stretch.ts';
import type { RowOf } from '../../sae/spec/tables/table.ts';
import type { Example, FeatureDetail } from '../contract/features.ts';
import type { TokenReader } from './tokenReader.ts';

/** The examples of a latent by band, in the order given. */
export function byBand(
  examples: readonly RowOf<typeof exampleTable>[],
  tokens: TokenReader,
): FeatureDetail['examples'] {
  const bands = new Map<string, Example[]>();
  for (const row of examples) {
    const example = exampleOf(row, tokens);
    const band = bands.get(row.band);
    if (band) band.push(example);
    else bands.set(row.band, [example]);
  }
  return [...bands].map(([band, rows]) => ({ band, examples: rows }));
}

export function exampleOf(
  row: RowOf<typeof stretchColumns> & { rank: number },
  tokens: TokenReader,
): Example {
  const { rank, activation, context, position, start, activations } = row;
  return { rank, activation, context, position, start, tokens: tokens.texts(row.tokens), activations };
}
