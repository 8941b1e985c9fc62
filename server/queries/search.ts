/** Search for words and phrases over examples, tokens and labels of the dictionaries of a store. */
import { existsSync } from 'node:fs';
import type { ServerContext } from '../context.ts';
import type { SearchInput, SearchPage } from '../contract/search.ts';
import { modelOfRun, runManifest, runManifests } from './dictionaries.ts';
import { pageOfSearch } from './searchRows.ts';

/** What search needs of a server; the command line has it without one. */
export type SearchContext = Pick<ServerContext, 'store' | 'manifests' | 'tokens' | 'search'> & {
  labels: Pick<ServerContext['labels'], 'of'>;
};

export async function searchFeatures(server: SearchContext, input: SearchInput): Promise<SearchPage> {
  const { text, run, seed } = input;
  const runs = run === undefined ? (await runManifests(server)).manifests : [await runManifest(server, run)];
  const dictionaries = runs.flatMap(({ name, config }) =>
    config.seeds
      .filter((one) => (seed ?? one) === one && existsSync(server.store.features(name, one)))
      .map((one) => ({ run: name, seed: one })),
  );
  const byName = new Map(runs.map((one) => [one.name, one]));
  return pageOfSearch(input, {
    ...(await server.search.find(text, dictionaries)),
    describe: async (dictionary) => {
      const manifest = byName.get(dictionary.run);
      return {
        reader: server.tokens.of(manifest ? await modelOfRun(server, manifest) : null),
        labels: await server.labels.of(dictionary),
        width: manifest?.config.width ?? 0,
      };
    },
  });
}
