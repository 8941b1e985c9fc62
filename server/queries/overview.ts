import { existsSync } from 'node:fs';
import type { ServerContext } from '../context.ts';
import type { Overview } from '../contract/overview.ts';
import { captureManifests, runManifests } from './dictionaries.ts';
import { modelFoldersIn } from './modelFolders.ts';
import { sparsityReports } from './sparsity.ts';

export async function overview(server: ServerContext): Promise<Overview> {
  const { store } = server;
  const [runs, captures, models, comparisons, reports] = await Promise.all([
    runManifests(server),
    captureManifests(server),
    modelFoldersIn(server.modelFolders),
    server.seedStability.comparisons(),
    sparsityReports(server),
  ]);
  const dictionaries = runs.manifests.flatMap(({ name, config }) =>
    config.seeds.map((seed) => ({ name, seed, width: config.width })),
  );
  return {
    runs: dictionaries.length,
    // An indexed dictionary has a row for each latent, dead ones included, so its width is the number of rows.
    features: dictionaries
      .filter(({ name, seed }) => existsSync(store.features(name, seed)))
      .reduce((sum, { width }) => sum + width, 0),
    captures: captures.manifests.length,
    models: models.length,
    comparisons: comparisons.manifests.length,
    sparsityReports: reports.manifests.length,
    leftOut: {
      runs: runs.leftOut,
      captures: captures.leftOut,
      comparisons: comparisons.leftOut,
      sparsityReports: reports.leftOut,
    },
    dataFolder: server.publishedAt ?? store.root,
    version: server.version,
    // Nothing is computed for a published store.
    backend: server.publishedAt === undefined ? server.commands.backend() : null,
  };
}
