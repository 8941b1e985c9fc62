/**
 * The one model that is in memory. Questions about it run beside each other; a question about another model waits until
 * nobody uses this one, and those that come after it wait behind it.
 */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { AttachedModel } from '../../sae/inference/attachedModel.ts';
import type { StoreLayout } from '../../sae/store/layout.ts';

export class ModelSlot {
  readonly #store: StoreLayout;
  #key: string | undefined;
  #model: AttachedModel | undefined;
  #users = 0;
  #idle: (() => void)[] = [];
  /** Questions pass one after the other. */
  #door: Promise<unknown> = Promise.resolve();

  constructor(store: StoreLayout) {
    this.#store = store;
  }

  get model(): AttachedModel | undefined {
    return this.#model;
  }

  /** The model at this path; `release` is called when it is not needed any more. Throws as `AttachedModel.load` does. */
  async enter(path: string): Promise<{ model: AttachedModel; release: () => void }> {
    const turn = this.#door.then(() => this.#load(path));
    this.#door = turn.catch(() => {});
    const model = await turn;
    const release = () => {
      this.#users--;
      if (this.#users === 0) for (const wake of this.#idle.splice(0)) wake();
    };
    return { model, release };
  }

  async #load(path: string): Promise<AttachedModel> {
    const key = await versionOf(path);
    if (this.#key !== key || !this.#model) {
      if (this.#users > 0) await new Promise<void>((wake) => this.#idle.push(wake));
      this.#model?.dispose();
      this.#model = undefined;
      this.#model = await AttachedModel.load(this.#store, path);
      this.#key = key;
    }
    this.#users++;
    return this.#model;
  }
}

/** The path, and what changes when a file there does. */
async function versionOf(path: string): Promise<string> {
  const place = await stat(path).catch(() => undefined);
  if (!place?.isDirectory()) return `${path} ${place?.mtimeMs} ${place?.size}`;
  const names = (await readdir(path)).sort();
  const files = await Promise.all(names.map((name) => stat(join(path, name))));
  return [path, ...names.map((name, i) => `${name} ${files[i].mtimeMs} ${files[i].size}`)].join('\n');
}
