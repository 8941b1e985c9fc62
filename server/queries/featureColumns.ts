/** The columns of features.parquet that lists show and sort by, in memory. */
import { listedFeatureTable } from '../../sae/spec/tables/features.ts';
import type { ColumnsOf } from '../../sae/store/columnRows.ts';
import { readColumns } from '../../sae/store/readColumns.ts';
import type { ServerContext } from '../context.ts';
import type { DictionaryReference } from '../contract/tokens.ts';

/** The other columns are of one latent's page only (see featureDetail.ts). */
export type FeatureColumns = ColumnsOf<typeof listedFeatureTable>;

export function featureColumns(
  { store, columns, pages }: ServerContext,
  dictionary: DictionaryReference,
): Promise<FeatureColumns> {
  const path = store.features(dictionary.run, dictionary.seed);
  return columns.of(path, listedFeatureTable, async () => {
    const found = await pages.read(dictionary, (file) => file.columns());
    return found ?? readColumns(path, listedFeatureTable);
  });
}
