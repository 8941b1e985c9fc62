/** Reads runs and their seeds for all other queries. */
import { existsSync } from 'node:fs';
import { LazyscopeError } from '../../sae/errors.ts';
import { runKind } from '../../sae/spec/manifests/run.ts';
import type { RunManifest } from '../../sae/spec/manifests/run.ts';
import { captureKind } from '../../sae/spec/manifests/capture.ts';
import type { CaptureManifest } from '../../sae/spec/manifests/capture.ts';
import type { ServerContext } from '../context.ts';
import type { DictionaryReference } from '../contract/tokens.ts';
import { manifestsIn, type Manifests } from './manifestsIn.ts';

type Manifested = Pick<ServerContext, 'store' | 'manifests'>;

export async function runManifest({ store, manifests }: Manifested, run: string): Promise<RunManifest> {
  if (!existsSync(store.runManifest(run)))
    throw new LazyscopeError(
      'not_found',
      `There is no run '${run}': see the list of runs for those there are.`,
    );
  return manifests.read(store.runManifest(run), runKind);
}

export async function runManifests({ store, manifests }: Manifested): Promise<Manifests<RunManifest>> {
  return manifestsIn(manifests, {
    folder: store.runs(),
    pathOf: (name) => store.runManifest(name),
    kind: runKind,
  });
}

export async function captureManifests({
  store,
  manifests,
}: ServerContext): Promise<Manifests<CaptureManifest>> {
  return manifestsIn(manifests, {
    folder: store.captures(),
    pathOf: (name) => store.captureManifest(name),
    kind: captureKind,
  });
}

/** The model that a run's capture was made with; null if the capture no longer exists or can't be read. */
export async function modelOfRun(
  { store, manifests }: Manifested,
  run: RunManifest,
): Promise<CaptureManifest['model'] | null> {
  const capture = await manifests
    .read(store.captureManifest(run.config.capture), captureKind)
    .catch(() => null);
  return capture?.model ?? null;
}

/** The manifest of a run that has this seed. Throws 'not_found' otherwise. */
export async function runWithSeed(
  server: ServerContext,
  { run, seed }: DictionaryReference,
): Promise<RunManifest> {
  const manifest = await runManifest(server, run);
  if (!manifest.config.seeds.includes(seed))
    throw new LazyscopeError(
      'not_found',
      `Run '${run}' has no seed ${seed}: it has ${manifest.config.seeds.join(', ')}.`,
    );
  return manifest;
}

/** The manifest of a run that has this seed, and whose features are indexed. Throws 'not_found' otherwise. */
export async function indexedDictionary(
  server: ServerContext,
  { run, seed }: DictionaryReference,
): Promise<RunManifest> {
  const manifest = await runWithSeed(server, { run, seed });
  if (!existsSync(server.store.features(run, seed)))
    throw new LazyscopeError(
      'not_found',
      `Seed ${seed} of run '${run}' is not indexed yet: run 'lazyscope index ${run}'.`,
    );
  return manifest;
}
