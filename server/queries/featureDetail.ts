/** What the page of one latent shows of features.parquet and examples.parquet, from the file of pages where there is one. */
import { existsSync } from 'node:fs';
import { exampleOrder, type StoredPage } from '../../sae/features/featurePages.ts';
import { exampleTable } from '../../sae/spec/tables/examples.ts';
import { featureDetailTable } from '../../sae/spec/tables/features.ts';
import { queryRows } from '../../sae/store/queryRows.ts';
import { columnList, storedTable } from '../../sae/store/tableSql.ts';
import type { ServerContext } from '../context.ts';
import type { Example, FeatureInput } from '../contract/features.ts';
import { exampleOf } from './examples.ts';
import type { TokenReader } from './tokenReader.ts';

const rowsOf = (table: typeof exampleTable | typeof featureDetailTable) =>
  `SELECT ${columnList(table)} FROM ${storedTable(table)} WHERE latent = $latent`;

/** Of a latent that its dictionary has. Without a table of examples there are none. */
export async function storedPage(server: ServerContext, feature: FeatureInput): Promise<StoredPage> {
  const { run, seed, latent } = feature;
  const found = await server.pages.read(feature, (pages) => pages.page(latent));
  if (found) return found;
  const features = server.store.features(run, seed);
  const path = server.store.examples(run, seed);
  const [[detail], examples] = await Promise.all([
    queryRows(featureDetailTable, rowsOf(featureDetailTable), { path: features, latent }),
    existsSync(path)
      ? queryRows(exampleTable, `${rowsOf(exampleTable)} ORDER BY ${exampleOrder}`, { path, latent })
      : [],
  ]);
  return { detail, examples };
}

/** The strongest example of a latent; null where it has none. */
export async function topExample(
  server: ServerContext,
  feature: FeatureInput,
  tokens: TokenReader,
): Promise<Example | null> {
  const { examples } = await storedPage(server, feature);
  const top = examples.find(({ band, rank }) => band === 'top' && rank === 0);
  return top ? exampleOf(top, tokens) : null;
}
