/** What captures and reports of earlier versions say of a machine, before others get to read them. */
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { isAbsolute } from 'node:path';
import { namePattern } from '../spec/names.ts';
import { captureKind } from '../spec/manifests/capture.ts';
import type { ManifestKind } from '../spec/manifests/manifestKind.ts';
import { sparsityReportKind } from '../spec/manifests/sparsityReport.ts';
import type { StoreLayout } from '../store/layout.ts';
import { withLock } from '../store/lock.ts';
import { readManifest } from '../store/readManifest.ts';
import { writeManifest } from '../store/writeManifest.ts';
import { recordModelPlace, type ModelReference } from './modelPlace.ts';

/**
 * Rewrites the manifests that have the absolute folder of a model, so that this machine remembers it and they no longer say it. Returns how many
 * there were. Throws `conflict` where one of them is being written.
 */
export async function forgetModelFolders(store: StoreLayout): Promise<number> {
  const captures = { all: store.captures(), folder: store.capture.bind(store), manifest: store.captureManifest.bind(store) }; // prettier-ignore
  const reports = { all: store.sparsities(), folder: store.sparsity.bind(store), manifest: store.sparsityReport.bind(store) }; // prettier-ignore
  return (
    (await forgetIn(store, captures, captureKind)) + (await forgetIn(store, reports, sparsityReportKind))
  );
}

interface Places {
  all: string;
  folder(name: string): string;
  manifest(name: string): string;
}

async function forgetIn<Manifest extends { version: number; model: ModelReference }>(
  store: StoreLayout,
  { all, folder, manifest }: Places,
  kind: ManifestKind<Manifest>,
): Promise<number> {
  let found = 0;
  for (const name of existsSync(all) ? await readdir(all) : []) {
    if (!namePattern.test(name) || !existsSync(manifest(name))) continue;
    if (!isAbsolute((await readManifest(manifest(name), kind)).model.folder)) continue;
    await withLock(folder(name), 'forgetting the folder of a model', async () => {
      const before = await readManifest(manifest(name), kind);
      const place = await recordModelPlace(store, before.model.folder, before.model.sha256);
      await writeManifest(
        manifest(name),
        kind,
        { ...before, model: { ...before.model, folder: place } },
        before,
      );
    });
    found++;
  }
  return found;
}
