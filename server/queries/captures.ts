import { existsSync } from 'node:fs';
import { LazyscopeError } from '../../sae/errors.ts';
import { withoutPlace } from '../../sae/models/modelPlace.ts';
import { captureKind } from '../../sae/spec/manifests/capture.ts';
import type { CaptureManifest } from '../../sae/spec/manifests/capture.ts';
import type { ServerContext } from '../context.ts';
import type { CaptureDetail, CaptureNorms, CaptureRow } from '../contract/captures.ts';
import { captureManifests } from './dictionaries.ts';

export async function listCaptures(server: ServerContext): Promise<CaptureRow[]> {
  return (await captureManifests(server)).manifests.map(captureRow);
}

export async function getCapture({ store, manifests }: ServerContext, name: string): Promise<CaptureDetail> {
  if (!existsSync(store.captureManifest(name)))
    throw new LazyscopeError('not_found', `There is no capture '${name}': see the list of captures.`);
  const manifest = await manifests.read(store.captureManifest(name), captureKind);
  return { ...captureRow(manifest), manifest: { ...manifest, model: withoutPlace(manifest.model) } };
}

/** Throws 'not_found' when there is no such capture, or when it has no such hook point. */
export async function captureNorms(
  { store, manifests, tokens }: ServerContext,
  name: string,
  hook: string,
): Promise<CaptureNorms> {
  if (!existsSync(store.captureManifest(name)))
    throw new LazyscopeError('not_found', `There is no capture '${name}': see the list of captures.`);
  const manifest = await manifests.read(store.captureManifest(name), captureKind);
  const own = manifest.hooks.find((known) => known.hook === hook);
  if (!own)
    throw new LazyscopeError(
      'not_found',
      `Capture '${name}' has no hook point '${hook}': it has ${manifest.hooks.map((known) => known.hook).join(', ')}.`,
    );
  const report = own.norms ?? null;
  const ids = new Set(
    [...(report?.tokens ?? []), ...(report?.longestTokens ?? [])].map(({ token }) => token),
  );
  return {
    rows: captureRow(manifest).rows,
    firstPosition: manifest.firstPosition,
    exclude: manifest.exclude ?? null,
    report,
    texts: ids.size === 0 ? [] : tokens.of(manifest.model).texts([...ids]),
  };
}

function captureRow(manifest: CaptureManifest): CaptureRow {
  const { contexts, contextLength, heldOutContexts, firstPosition, hooks, tokens } = manifest;
  const shards = [...hooks.flatMap((hook) => hook.shards), ...(tokens ? [tokens] : [])];
  return {
    name: manifest.name,
    createdAt: manifest.createdAt,
    status: manifest.status,
    model: manifest.model.name,
    text: manifest.text.source,
    tokens: contexts * contextLength,
    heldOutTokens: heldOutContexts * contextLength,
    rows: contexts * (contextLength - firstPosition),
    hooks: hooks.map(({ hook, width }) => ({ hook, width })),
    dtype: manifest.dtype,
    bytes: shards.reduce((sum, shard) => sum + shard.bytes, 0),
  };
}
