/**
 * The stability of a dictionary's latents, stored with its features: seed-<n>/stability.parquet, made again whenever the
 * dictionary is compared. Only comparisons with dictionaries that differ in nothing but the seed count, one for each pair.
 */
import { existsSync, readdirSync } from 'node:fs';
import { runKind } from '../spec/manifests/run.ts';
import type { RunManifest } from '../spec/manifests/run.ts';
import { comparisonKind } from '../spec/manifests/comparison.ts';
import type { ComparisonManifest, DictionaryReference } from '../spec/manifests/comparison.ts';
import { namePattern } from '../spec/names.ts';
import type { StoreLayout } from '../store/layout.ts';
import { writeParquet } from '../store/parquet.ts';
import { readManifest } from '../store/readManifest.ts';
import { stabilityTable } from '../spec/tables/stability.ts';
import { dictionaryKey } from './dictionaryKey.ts';
import { dictionaryStability } from './dictionaryStability.ts';
import { sharedLink } from './sharedLinks.ts';

/** Two runs are of one configuration when nothing but their seeds differs. */
export function sameConfiguration(a: RunManifest, b: RunManifest): boolean {
  const key = ({ config }: RunManifest) => JSON.stringify({ ...config, seeds: null });
  return a.name === b.name || key(a) === key(b);
}

export interface SeedComparison {
  /** The run of the other dictionary. */
  readonly other: RunManifest;
  readonly manifest: ComparisonManifest;
}

/** Those of `comparisons` that are of this dictionary with one that differs in the seed only; the newest where a pair was compared twice. */
export function seedComparisons(
  dictionary: DictionaryReference,
  comparisons: readonly ComparisonManifest[],
  runs: ReadonlyMap<string, RunManifest>,
): SeedComparison[] {
  const own = runs.get(dictionary.run);
  if (!own) return [];
  const key = dictionaryKey(dictionary);
  const found = new Map<string, SeedComparison>();
  for (const manifest of [...comparisons].sort((a, b) => (a.createdAt < b.createdAt ? -1 : 1))) {
    const [a, b] = [dictionaryKey(manifest.a), dictionaryKey(manifest.b)];
    if ((a !== key && b !== key) || a === b) continue;
    const reference = a === key ? manifest.b : manifest.a;
    const other = runs.get(reference.run);
    if (other && other.config.width === own.config.width && sameConfiguration(own, other))
      found.set(dictionaryKey(reference), { other, manifest });
  }
  return [...found.values()];
}

/** Writes stability.parquet of one dictionary from all comparisons in the store. Writes nothing when none of them counts. */
export async function storeStability(store: StoreLayout, dictionary: DictionaryReference): Promise<void> {
  // Other files and folders there, such as a writer's temporary ones, are no comparisons.
  const names = readdirSync(store.comparisons()).filter(
    (name) => namePattern.test(name) && existsSync(store.comparisonManifest(name)),
  );
  const comparisons = await Promise.all(
    names.map((name) => readManifest(store.comparisonManifest(name), comparisonKind)),
  );
  const wanted = new Set([dictionary.run, ...comparisons.flatMap(({ a, b }) => [a.run, b.run])]);
  const runs = new Map<string, RunManifest>();
  for (const name of wanted)
    if (existsSync(store.runManifest(name)))
      runs.set(name, await readManifest(store.runManifest(name), runKind));
  const counted = seedComparisons(dictionary, comparisons, runs);
  const own = runs.get(dictionary.run);
  if (!own || counted.length === 0) return;
  const links = await Promise.all(counted.map(({ manifest }) => sharedLink(store, manifest)));
  const { compared, sharedWith } = dictionaryStability(dictionary, own.config.width, links);
  await writeParquet(store.stability(dictionary.run, dictionary.seed), stabilityTable, {
    latent: sharedWith.map((_, latent) => latent),
    sharedWith,
    compared: sharedWith.map(() => compared),
    stability: Float64Array.from(sharedWith, (seeds) => seeds / compared),
  });
}
