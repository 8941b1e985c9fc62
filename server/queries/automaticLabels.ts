/** Labels that `lazyscope label` made, from the files of the store, kept in memory until a file changes. */
import { statSync } from 'node:fs';
import { isLazyscopeError } from '../../sae/errors.ts';
import { readLabels } from '../../sae/labels/labelsTable.ts';
import type { LabelSource } from '../../sae/spec/labelSources.ts';
import { labelMethods, type LabelMethod } from '../../sae/spec/tables/labels.ts';
import type { StoreLayout } from '../../sae/store/layout.ts';
import type { Label } from '../contract/label.ts';
import type { DictionaryReference } from '../contract/tokens.ts';
import type { Log } from '../log.ts';

type Labels = ReadonlyMap<number, Label>;

const byPreference = labelMethods.toReversed();
/** Files kept. */
const mostKept = 200;

export class AutomaticLabels {
  readonly #store: StoreLayout;
  readonly #log: Log;
  readonly #kept = new Map<string, { stamp: string; labels: Promise<Labels> }>();

  constructor(store: StoreLayout, log: Log) {
    this.#store = store;
    this.#log = log;
  }

  /** One map a file that is there, best method first. A damaged file is logged and left out. */
  async of(dictionary: DictionaryReference): Promise<Labels[]> {
    const found = await Promise.all(byPreference.map((method) => this.#read(dictionary, method)));
    return found.filter((labels) => labels !== undefined);
  }

  #read({ run, seed }: DictionaryReference, method: LabelMethod): Promise<Labels> | undefined {
    const path = this.#store.automaticLabels(run, seed, method);
    const found = statSync(path, { throwIfNoEntry: false });
    if (!found) return undefined;
    const stamp = `${found.ino} ${found.mtimeMs} ${found.size}`;
    let kept = this.#kept.get(path);
    this.#kept.delete(path);
    if (kept?.stamp !== stamp) kept = { stamp, labels: this.#load(path, { run, seed }, method) };
    this.#kept.set(path, kept);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > mostKept && oldest !== undefined) this.#kept.delete(oldest);
    return kept.labels;
  }

  async #load(path: string, dictionary: DictionaryReference, method: LabelMethod): Promise<Labels> {
    try {
      const rows = await readLabels(path);
      return new Map(
        rows.map(({ latent, label, model, createdAt, detection, fuzzing }) => [
          latent,
          {
            ...dictionary,
            latent,
            label,
            note: '',
            updatedAt: createdAt,
            source: sourceOf(method, model),
            detection,
            fuzzing,
          },
        ]),
      );
    } catch (error) {
      if (!isLazyscopeError(error)) throw error;
      this.#log(`Labels are left out: ${error.message}`, error);
      return new Map();
    }
  }
}

function sourceOf(method: LabelMethod, model: string | null): LabelSource {
  if (method === 'neuronpedia') return { kind: 'imported', was: model };
  return model === null ? { kind: 'data' } : { kind: 'endpoint', model };
}
