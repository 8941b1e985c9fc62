import { datasetNames, datasetTitles } from '../../sae/spec/datasets.ts';
import { fetchedDatasets } from '../../sae/tokens/text/fetchedDatasets.ts';
import type { ServerContext } from '../context.ts';
import type { DatasetRow } from '../contract/datasets.ts';

/** The texts of the package, then those that were fetched into the store. */
export async function listDatasets({ store }: ServerContext): Promise<DatasetRow[]> {
  const fetched = await fetchedDatasets(store.datasets());
  return [
    ...datasetNames.map((name) => ({ name, title: datasetTitles[name], bundled: true })),
    ...fetched.map((name) => ({ name, title: name.slice('dataset:'.length), bundled: false })),
  ];
}
