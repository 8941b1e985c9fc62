/** In how many other seeds each latent is shared, computed from the comparisons in the store. */
import { dictionaryKey } from '../../sae/comparison/dictionaryKey.ts';
import { sharedLink } from '../../sae/comparison/sharedLinks.ts';
import { dictionaryStability, type DictionaryStability } from '../../sae/comparison/dictionaryStability.ts';
import { seedComparisons, type SeedComparison } from '../../sae/comparison/storedStability.ts';
import type { SharedLink } from '../../sae/comparison/stability.ts';
import { comparisonKind, type ComparisonManifest } from '../../sae/spec/manifests/comparison.ts';
import { runKind, type RunManifest } from '../../sae/spec/manifests/run.ts';
import type { StoreLayout } from '../../sae/store/layout.ts';
import type { DictionaryReference } from '../contract/tokens.ts';
import type { ManifestCache } from '../manifestCache.ts';
import { manifestsIn, type Manifests } from './manifestsIn.ts';

/** Tables of counterparts in memory, by their entries (four bytes each), and as many of what they come to; the least recently used go first. */
const mostEntries = 16 << 20;

export class SeedStability {
  readonly #store: StoreLayout;
  readonly #cache: ManifestCache;
  /** The table of a comparison belongs to the manifest object that the cache gives until the file changes. */
  readonly #links = new Map<string, { manifest: ComparisonManifest; link: Promise<SharedLink> }>();
  /** What links come to for a dictionary at the comparisons' own thresholds, as long as these are the links. */
  readonly #counted = new Map<string, { links: readonly SharedLink[]; stability: DictionaryStability }>();
  #byDictionary: { of: readonly ComparisonManifest[]; index: Map<string, ComparisonManifest[]> } = {
    of: [],
    index: new Map(),
  };

  constructor(store: StoreLayout, cache: ManifestCache) {
    this.#store = store;
    this.#cache = cache;
  }

  comparisons(): Promise<Manifests<ComparisonManifest>> {
    return manifestsIn(this.#cache, {
      folder: this.#store.comparisons(),
      pathOf: (name) => this.#store.comparisonManifest(name),
      kind: comparisonKind,
    });
  }

  /** The comparisons of which this dictionary is one of the two. */
  async comparisonsOf(dictionary: DictionaryReference): Promise<readonly ComparisonManifest[]> {
    const { manifests } = await this.comparisons();
    const { of } = this.#byDictionary;
    if (!sameItems(of, manifests)) this.#byDictionary = { of: manifests, index: byDictionary(manifests) };
    return this.#byDictionary.index.get(dictionaryKey(dictionary)) ?? [];
  }

  /** Which latents a comparison finds shared. Throws 'not_found' or 'corrupt' as the readers do. */
  async link(comparison: string): Promise<SharedLink> {
    const manifest = await this.#cache.read(this.#store.comparisonManifest(comparison), comparisonKind);
    const known = this.#links.get(comparison);
    this.#links.delete(comparison);
    const kept = known?.manifest === manifest ? known : { manifest, link: sharedLink(this.#store, manifest) };
    this.#links.set(comparison, kept);
    let entries = 0;
    for (const { manifest: each } of this.#links.values()) entries += each.latents;
    for (const [oldest, { manifest: each }] of this.#links) {
      if (entries <= mostEntries || oldest === comparison) break;
      this.#links.delete(oldest);
      entries -= each.latents;
    }
    try {
      return await kept.link;
    } catch (error) {
      if (this.#links.get(comparison) === kept) this.#links.delete(comparison);
      throw error;
    }
  }

  /** Comparisons of this dictionary with others that differ in the seed only, one for each pair. */
  async sameConfiguration(dictionary: DictionaryReference): Promise<SeedComparison[]> {
    const comparisons = await this.comparisonsOf(dictionary);
    const names = new Set([dictionary.run, ...comparisons.flatMap(({ a, b }) => [a.run, b.run])]);
    const runs = new Map<string, RunManifest>();
    for (const name of names) {
      const run = await this.run(name);
      if (run) runs.set(name, run);
    }
    return seedComparisons(dictionary, comparisons, runs);
  }

  /** With a threshold, at that one instead of each comparison's own, read anew. */
  async stability(
    dictionary: DictionaryReference,
    latents: number,
    threshold?: number,
  ): Promise<DictionaryStability> {
    const pairs = await this.sameConfiguration(dictionary);
    const links = await Promise.all(
      pairs.map(({ manifest }) =>
        threshold === undefined || threshold === manifest.threshold
          ? this.link(manifest.name)
          : sharedLink(this.#store, manifest, threshold),
      ),
    );
    if (threshold !== undefined) return dictionaryStability(dictionary, latents, links);
    const key = dictionaryKey(dictionary);
    const known = this.#counted.get(key);
    this.#counted.delete(key);
    const kept =
      known?.stability.sharedWith.length === latents && sameItems(known.links, links)
        ? known
        : { links, stability: dictionaryStability(dictionary, latents, links) };
    this.#counted.set(key, kept);
    let entries = 0;
    for (const { stability } of this.#counted.values()) entries += stability.sharedWith.length;
    for (const [oldest, { stability }] of this.#counted) {
      if (entries <= mostEntries || oldest === key) break;
      this.#counted.delete(oldest);
      entries -= stability.sharedWith.length;
    }
    return kept.stability;
  }

  /** A run's manifest. Undefined when it is missing or unreadable, so that a damaged run doesn't break the pages of others. */
  async run(name: string): Promise<RunManifest | undefined> {
    return this.#cache.read(this.#store.runManifest(name), runKind).catch(() => undefined);
  }
}

function sameItems<Item>(a: readonly Item[], b: readonly Item[]): boolean {
  return a.length === b.length && a.every((item, at) => item === b[at]);
}

function byDictionary(comparisons: readonly ComparisonManifest[]): Map<string, ComparisonManifest[]> {
  const index = new Map<string, ComparisonManifest[]>();
  for (const comparison of comparisons)
    for (const key of new Set([comparison.a, comparison.b].map(dictionaryKey))) {
      const those = index.get(key);
      if (those) those.push(comparison);
      else index.set(key, [comparison]);
    }
  return index;
}
