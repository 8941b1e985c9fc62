/** In how many other seeds a latent comes back, from the comparisons in the store. */
import { existsSync, statSync } from 'node:fs';
import { dictionaryKey, sharedLinks } from '../../sae/comparison/sharedLinks.ts';
import { latentStability } from '../../sae/comparison/stability.ts';
import type { SharedLink } from '../../sae/comparison/stability.ts';
import type { StoreLayout } from '../../sae/store/layout.ts';
import { comparisonManifestSchema, runManifestSchema } from '../../sae/store/manifests.ts';
import type { ComparisonManifest, RunManifest } from '../../sae/store/manifests.ts';
import { readManifest } from '../../sae/store/readManifest.ts';
import type { Dictionary } from '../contract/tokens.ts';
import type { Log } from '../log.ts';
import { manifestsIn } from './manifestsIn.ts';

export interface DictionaryStability {
  /** Other seeds of the same configuration this dictionary was compared with. */
  compared: number;
  /** [latents]: in how many of them the latent is shared. */
  sharedWith: Int32Array;
}

/** Two runs are of one configuration when nothing but their seeds differs. */
export function sameConfiguration(a: RunManifest, b: RunManifest): boolean {
  const key = ({ config }: RunManifest) => JSON.stringify({ ...config, seeds: null });
  return a.name === b.name || key(a) === key(b);
}

export class Sharing {
  readonly #store: StoreLayout;
  readonly #log: Log;
  /** A comparison is read once, until its file changes. */
  readonly #links = new Map<string, { changed: number; link: SharedLink }>();

  constructor(store: StoreLayout, log: Log) {
    this.#store = store;
    this.#log = log;
  }

  comparisons(): Promise<ComparisonManifest[]> {
    return manifestsIn(
      {
        folder: this.#store.comparisons(),
        pathOf: (name) => this.#store.comparisonManifest(name),
        schema: comparisonManifestSchema,
      },
      this.#log,
    );
  }

  async link(comparison: string): Promise<SharedLink> {
    const changed = statSync(this.#store.comparisonManifest(comparison)).mtimeMs;
    const known = this.#links.get(comparison);
    if (known?.changed === changed) return known.link;
    const [link] = await sharedLinks(this.#store, [comparison]);
    this.#links.set(comparison, { changed, link });
    return link;
  }

  /**
   * Comparisons of this dictionary with others that differ in the seed only, one a pair: when a pair was
   * compared twice, the newest counts.
   */
  async sameConfiguration(
    dictionary: Dictionary,
  ): Promise<{ other: RunManifest; manifest: ComparisonManifest }[]> {
    const own = await this.#run(dictionary.run);
    if (!own) return [];
    const key = dictionaryKey(dictionary);
    const found = new Map<string, { other: RunManifest; manifest: ComparisonManifest }>();
    const comparisons = await this.comparisons();
    for (const manifest of comparisons.sort((a, b) => (a.createdAt < b.createdAt ? -1 : 1))) {
      const [a, b] = [dictionaryKey(manifest.a), dictionaryKey(manifest.b)];
      if ((a !== key && b !== key) || a === b) continue;
      const reference = a === key ? manifest.b : manifest.a;
      const other = await this.#run(reference.run);
      if (other && other.config.width === own.config.width && sameConfiguration(own, other))
        found.set(dictionaryKey(reference), { other, manifest });
    }
    return [...found.values()];
  }

  async stability(dictionary: Dictionary, latents: number): Promise<DictionaryStability> {
    const pairs = await this.sameConfiguration(dictionary);
    const links = await Promise.all(pairs.map(({ manifest }) => this.link(manifest.name)));
    const key = dictionaryKey(dictionary);
    const keys = new Set([key, ...links.flatMap(({ a, b }) => [a, b])]);
    const all = latentStability(
      [...keys].map((k) => ({ key: k, latents })),
      links,
    );
    const own = all.find((seed) => seed.key === key);
    const compared = own?.compared ?? 0;
    const sharedWith = new Int32Array(latents);
    if (own && compared > 0)
      for (let i = 0; i < latents; i++) sharedWith[i] = Math.round(own.stability[i] * compared);
    return { compared, sharedWith };
  }

  async #run(name: string): Promise<RunManifest | undefined> {
    const path = this.#store.runManifest(name);
    return existsSync(path) ? readManifest(path, runManifestSchema) : undefined;
  }
}
