/** In how many other seeds a latent comes back, from the comparisons in the store. */
import { existsSync, statSync } from 'node:fs';
import { sharedLinks } from '../../sae/comparison/sharedLinks.ts';
import {
  dictionaryStability,
  seedComparisons,
  type DictionaryStability,
  type SeedComparison,
} from '../../sae/comparison/storedStability.ts';
import type { SharedLink } from '../../sae/comparison/stability.ts';
import type { StoreLayout } from '../../sae/store/layout.ts';
import { runManifestSchema } from '../../sae/spec/manifests/run.ts';
import type { RunManifest } from '../../sae/spec/manifests/run.ts';
import { comparisonManifestSchema } from '../../sae/spec/manifests/comparison.ts';
import type { ComparisonManifest } from '../../sae/spec/manifests/comparison.ts';
import { readManifest } from '../../sae/store/readManifest.ts';
import type { DictionaryReference } from '../contract/tokens.ts';
import type { Log } from '../log.ts';
import { manifestsIn } from './manifestsIn.ts';

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

  /** Comparisons of this dictionary with others that differ in the seed only, one a pair. */
  async sameConfiguration(dictionary: DictionaryReference): Promise<SeedComparison[]> {
    const comparisons = await this.comparisons();
    const names = new Set([dictionary.run, ...comparisons.flatMap(({ a, b }) => [a.run, b.run])]);
    const runs = new Map<string, RunManifest>();
    for (const name of names) {
      const run = await this.#run(name);
      if (run) runs.set(name, run);
    }
    return seedComparisons(dictionary, comparisons, runs);
  }

  async stability(dictionary: DictionaryReference, latents: number): Promise<DictionaryStability> {
    const pairs = await this.sameConfiguration(dictionary);
    const links = await Promise.all(pairs.map(({ manifest }) => this.link(manifest.name)));
    return dictionaryStability(dictionary, latents, links);
  }

  async #run(name: string): Promise<RunManifest | undefined> {
    const path = this.#store.runManifest(name);
    return existsSync(path) ? readManifest(path, runManifestSchema) : undefined;
  }
}
