import { existsSync } from 'node:fs';
import { LazyscopeError } from '../../sae/errors.ts';
import { captureKind } from '../../sae/spec/manifests/capture.ts';
import type { CaptureManifest } from '../../sae/spec/manifests/capture.ts';
import type { ServerContext } from '../context.ts';
import type { CaptureDetail, CaptureRow } from '../contract/captures.ts';
import { captureManifests } from './dictionaries.ts';

export async function listCaptures(server: ServerContext): Promise<CaptureRow[]> {
  return (await captureManifests(server)).manifests.map(captureRow);
}

export async function getCapture({ store, manifests }: ServerContext, name: string): Promise<CaptureDetail> {
  if (!existsSync(store.captureManifest(name)))
    throw new LazyscopeError('not_found', `There is no capture '${name}': see the list of captures.`);
  const manifest = await manifests.read(store.captureManifest(name), captureKind);
  return { ...captureRow(manifest), manifest };
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
