/** From the stored comparisons of a run's seeds to the one number that each latent has in each other seed: how near its counterpart is. */
import { LazyscopeError } from '../../errors.ts';
import type { ComparisonManifest } from '../../spec/manifests/comparison.ts';
import type { StoreLayout } from '../../store/layout.ts';
import { queryParquet } from '../../store/parquet.ts';

/**
 * By seed, and by the other seed's place among the others: [latents], the smaller of the decoder's and the encoder's cosine with the
 * counterpart that both matchings agree on; −1 where they do not agree. The latent is shared at every threshold up to it.
 */
export type SeedCosines = ReadonlyMap<number, readonly Float32Array[]>;

/** The newest comparison of every pair of the seeds. Throws 'bad_input' where a pair was not compared. */
export function comparisonsOfSeeds(
  run: string,
  seeds: readonly number[],
  comparisons: readonly ComparisonManifest[],
): ComparisonManifest[] {
  const newest = new Map<string, ComparisonManifest>();
  for (const one of [...comparisons].sort((x, y) => (x.createdAt < y.createdAt ? -1 : 1)))
    if (one.a.run === run && one.b.run === run) newest.set(pairOf(one.a.seed, one.b.seed), one);
  return seeds.flatMap((a, i) =>
    seeds.slice(i + 1).map((b) => {
      const found = newest.get(pairOf(a, b));
      if (found) return found;
      throw new LazyscopeError(
        'bad_input',
        `Seeds ${a} and ${b} of run '${run}' have not been compared: compare them with 'lazyscope compare ${run}/${a} ${run}/${b}'.`,
      );
    }),
  );
}

const pairOf = (a: number, b: number) => `${Math.min(a, b)} ${Math.max(a, b)}`;

/** Reads the matches of `comparisons`, which are one for every pair of `seeds`. Throws 'corrupt' as the reader of tables does. */
export async function readSeedCosines(
  store: StoreLayout,
  seeds: readonly number[],
  comparisons: readonly ComparisonManifest[],
): Promise<SeedCosines> {
  const found = new Map<number, Map<number, Float32Array>>(seeds.map((seed) => [seed, new Map()]));
  for (const { name, a, b, latents } of comparisons) {
    const rows = await queryParquet(
      'SELECT latent, "decoderMatch" AS other, least("decoderCosine", "encoderCosine") AS cosine FROM read_parquet($path) WHERE "decoderMatch" >= 0 AND "decoderMatch" = "encoderMatch"',
      { path: store.comparisonMatches(name) },
    );
    const [ofA, ofB] = [new Float32Array(latents).fill(-1), new Float32Array(latents).fill(-1)];
    for (const { latent, other, cosine } of rows) {
      // A few 1e-8 are lost in single precision, and a copy must still reach a threshold of 1.
      const reached = Math.min(1, Number(cosine) + 1e-6);
      ofA[Number(latent)] = reached;
      ofB[Number(other)] = reached;
    }
    found.get(a.seed)?.set(b.seed, ofA);
    found.get(b.seed)?.set(a.seed, ofB);
  }
  return new Map(seeds.map((seed) => [seed, seeds.flatMap((other) => found.get(seed)?.get(other) ?? [])]));
}
