import { existsSync } from 'node:fs';
import type { ServerContext } from '../context.ts';
import type { Overview } from '../contract/overview.ts';
import { captureManifests, runManifests } from './dictionaries.ts';
import { namesIn } from './manifestsIn.ts';
import { modelFoldersIn } from './modelFolders.ts';

export async function overview(server: ServerContext): Promise<Overview> {
  const { store } = server;
  const [runs, captures, models, comparisons, reports] = await Promise.all([
    runManifests(server),
    captureManifests(server),
    modelFoldersIn(server.modelFolders),
    namesIn(store.comparisons(), (name) => store.comparisonManifest(name)),
    namesIn(store.sparsities(), (name) => store.sparsityReport(name)),
  ]);
  const dictionaries = runs.flatMap(({ name, config }) =>
    config.seeds.map((seed) => ({ name, seed, width: config.width })),
  );
  return {
    runs: dictionaries.length,
    // An indexed dictionary has a row for each latent, dead ones included, so its width is the number of rows.
    features: dictionaries
      .filter(({ name, seed }) => existsSync(store.features(name, seed)))
      .reduce((sum, { width }) => sum + width, 0),
    captures: captures.length,
    models: models.length,
    comparisons: comparisons.length,
    sparsityReports: reports.length,
    dataFolder: store.root,
    version: server.version,
    backend: server.commands.backend(),
  };
}
