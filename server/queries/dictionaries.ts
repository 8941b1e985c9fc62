/** Reads runs and their seeds for all other queries. */
import { existsSync } from 'node:fs';
import { LazyscopeError } from '../../sae/errors.ts';
import { runManifestSchema } from '../../sae/spec/manifests/run.ts';
import type { RunManifest } from '../../sae/spec/manifests/run.ts';
import { captureManifestSchema } from '../../sae/spec/manifests/capture.ts';
import type { CaptureManifest } from '../../sae/spec/manifests/capture.ts';
import { readManifest } from '../../sae/store/readManifest.ts';
import type { ServerContext } from '../context.ts';
import type { DictionaryReference } from '../contract/tokens.ts';
import { manifestsIn } from './manifestsIn.ts';

export async function runManifest({ store }: ServerContext, run: string): Promise<RunManifest> {
  if (!existsSync(store.runManifest(run)))
    throw new LazyscopeError(
      'not_found',
      `There is no run '${run}': see the list of runs for those there are.`,
    );
  return readManifest(store.runManifest(run), runManifestSchema);
}

export async function runManifests({ store, log }: ServerContext): Promise<RunManifest[]> {
  return manifestsIn(
    { folder: store.runs(), pathOf: (name) => store.runManifest(name), schema: runManifestSchema },
    log,
  );
}

export async function captureManifests({ store, log }: ServerContext): Promise<CaptureManifest[]> {
  return manifestsIn(
    {
      folder: store.captures(),
      pathOf: (name) => store.captureManifest(name),
      schema: captureManifestSchema,
    },
    log,
  );
}

/** The model that a run's capture was made with; null if the capture no longer exists. */
export async function modelOfRun(
  { store, log }: ServerContext,
  run: RunManifest,
): Promise<CaptureManifest['model'] | null> {
  const path = store.captureManifest(run.config.capture);
  if (!existsSync(path)) return null;
  try {
    return (await readManifest(path, captureManifestSchema)).model;
  } catch (error) {
    log(`The model of run '${run.name}' is unknown.`, error);
    return null;
  }
}

/** The manifest of a run that has this seed, and whose features are indexed. Throws 'not_found' otherwise. */
export async function indexedDictionary(
  server: ServerContext,
  { run, seed }: DictionaryReference,
): Promise<RunManifest> {
  const manifest = await runManifest(server, run);
  if (!manifest.config.seeds.includes(seed))
    throw new LazyscopeError(
      'not_found',
      `Run '${run}' has no seed ${seed}: it has ${manifest.config.seeds.join(', ')}.`,
    );
  if (!existsSync(server.store.features(run, seed)))
    throw new LazyscopeError(
      'not_found',
      `Seed ${seed} of run '${run}' is not indexed yet: run 'lazyscope index ${run}'.`,
    );
  return manifest;
}
