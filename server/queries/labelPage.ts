/** All labels of all runs and seeds, a page at a time; or the features of a list with theirs. */
import { existsSync } from 'node:fs';
import { labelMethods } from '../../sae/spec/tables/labels.ts';
import type { ServerContext } from '../context.ts';
import type { LabelPage, LabelPageInput } from '../contract/labels.ts';
import type { DictionaryReference } from '../contract/tokens.ts';
import { runManifests } from './dictionaries.ts';
import {
  compareText,
  featuresWithLabels,
  pageOfLabels,
  type FoundFeature,
  type LabelFilter,
  type LabelParts,
} from './labelRows.ts';

export async function labelPage(server: ServerContext, input: LabelPageInput): Promise<LabelPage> {
  return pageOfLabels(input, await labelParts(server, input), (features) => server.lists.ofEach(features));
}

/** What passes the filter, by run, seed and latent; the features of a list in the order in which they joined it. */
export async function labelledFeatures(server: ServerContext, filter: LabelFilter): Promise<FoundFeature[]> {
  return featuresWithLabels(filter, await labelParts(server, filter));
}

/** Throws 'not_found' for a list that there isn't. */
async function labelParts(server: ServerContext, { list }: LabelFilter): Promise<LabelParts> {
  const members = list === undefined ? undefined : await server.lists.members(list);
  const dictionaries: LabelParts['dictionaries'][number][] = [];
  for (const { run, seed } of await labelledDictionaries(server))
    dictionaries.push({ run, seed, labels: await server.labels.of({ run, seed }) });
  return { dictionaries, members };
}

/** Dictionaries with a label of any kind, by run and seed. */
export async function labelledDictionaries(
  server: Pick<ServerContext, 'store' | 'manifests' | 'labels'>,
): Promise<DictionaryReference[]> {
  const { manifests } = await runManifests(server);
  const automatic = manifests.flatMap(({ name, config }) =>
    config.seeds
      .filter((seed) =>
        labelMethods.some((method) => existsSync(server.store.automaticLabels(name, seed, method))),
      )
      .map((seed) => ({ run: name, seed })),
  );
  const all = [...automatic, ...(await server.labels.dictionaries())];
  return [...new Map(all.map((one) => [`${one.run}/${one.seed}`, one])).values()].sort(
    (a, b) => compareText(a.run, b.run) || a.seed - b.seed,
  );
}
