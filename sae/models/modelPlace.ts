/**
 * Where the model of a capture or a report is. Manifests say it only as far as it is true for whoever has the store: a model of the store by its path
 * there, any other by its name and checksum. In which folder of this machine such a model lies stands in a hidden file, which neither a published
 * store nor a bucket has.
 */
import { existsSync, readFileSync } from 'node:fs';
import { isAbsolute, join, relative, sep } from 'node:path';
import type { StoreLayout } from '../store/layout.ts';
import { writeJsonAtomic } from '../store/atomicWrite.ts';
import { machineFolder } from '../store/remote/bringIn.ts';
import { isModel } from './isModel.ts';

/** What manifests say of a model. Those of earlier versions have its absolute folder; reports have no checksum. */
export interface ModelReference {
  name: string;
  folder: string;
  sha256?: string | undefined;
}

/** One name below the folder of models: what a store says can't lead out of it. */
const ofStore = /^models\/(?!\.{1,2}$)[^/\\:\0]+$/;

/** What a manifest is to say of the folder or file of a model: its path in the store, or nothing, after which this machine remembers it. */
export async function recordModelPlace(store: StoreLayout, folder: string, sha256?: string): Promise<string> {
  const inStore = relative(store.root, folder).replaceAll(sep, '/');
  if (ofStore.test(inStore)) return inStore;
  const path = sha256 === undefined ? undefined : placeFile(store, sha256);
  if (path !== undefined && rememberedPlace(path) !== folder) await writeJsonAtomic(path, { folder });
  return '';
}

/** The folder or file of a model on this machine, as its manifest or this machine knows it; undefined where it is to be looked for by its name. */
export function modelPlace(store: StoreLayout, { folder, sha256 }: ModelReference): string | undefined {
  const remembered = sha256 === undefined ? undefined : rememberedPlace(placeFile(store, sha256));
  const places = [
    ...(ofStore.test(folder) ? [join(store.root, folder)] : []),
    ...(isAbsolute(folder) ? [folder] : []),
    ...(remembered === undefined ? [] : [remembered]),
  ];
  return places.find(isModel);
}

/** What a manifest says of a model, without what it says of a machine. */
export function withoutPlace<Model extends ModelReference>(model: Model): Model {
  return ofStore.test(model.folder) ? model : { ...model, folder: '' };
}

const placeFile = (store: StoreLayout, sha256: string) =>
  join(machineFolder(store.root), '.places', `${sha256}.json`);

/** A file that can't be read is as good as none: the model is then looked for by its name. */
function rememberedPlace(path: string): string | undefined {
  if (!existsSync(path)) return undefined;
  try {
    const said: unknown = JSON.parse(readFileSync(path, 'utf8'));
    const isPlace = typeof said === 'object' && said !== null && 'folder' in said;
    return isPlace && typeof said.folder === 'string' && isAbsolute(said.folder) ? said.folder : undefined;
  } catch {
    return undefined;
  }
}
