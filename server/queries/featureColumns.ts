/** The columns of features.parquet that lists show and sort by, in memory. */
import { featureDetailColumns, featureTable } from '../../sae/spec/tables/features.ts';
import type { ColumnsOf } from '../../sae/store/readColumns.ts';
import type { ServerContext } from '../context.ts';
import type { DictionaryReference } from '../contract/tokens.ts';

const detail: ReadonlySet<string> = new Set(featureDetailColumns);

/** The other columns are of one latent's page only, which reads them from the file. */
export const listedColumns = Object.fromEntries(
  Object.entries(featureTable).filter(([name]) => !detail.has(name)),
) as Omit<typeof featureTable, (typeof featureDetailColumns)[number]>;

export type FeatureColumns = ColumnsOf<typeof listedColumns>;

export function featureColumns(
  { store, columns }: ServerContext,
  { run, seed }: DictionaryReference,
): Promise<FeatureColumns> {
  return columns.of(store.features(run, seed), listedColumns);
}
