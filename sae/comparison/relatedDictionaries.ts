/**
 * Pairs of dictionaries whose answer is known, for tests and benchmarks of any size: two that share nothing, a
 * permuted copy, and a pair like two trained seeds.
 */
import { Random } from '../numerics/random.ts';
import type { ComparedDictionary } from './matchDictionaries.ts';

export const relations = ['copy', 'independent', 'trained'] as const;
export type Relation = (typeof relations)[number];

export interface RelatedDictionaries {
  readonly a: ComparedDictionary;
  readonly b: ComparedDictionary;
  /** [latents of a]: the planted counterpart in b of each latent, −1 for a latent without one. */
  readonly planted: Int32Array;
}

/** Weight of the family's common direction in each of its latents: it gives cosines of about 0.5 within a family. */
const lean = 0.7;
/** Mean number of latents in a family. */
const familySize = 8;

/**
 * Makes two dictionaries that are related as `relation` says. In `trained`, the directions come in families, as those of split
 * features do; half of them are in both dictionaries, in another order and with noise (decoder cosines 0.63 to 0.995, encoder cosines
 * somewhat lower), and the others occur in one dictionary only, though their families occur in both. The same seed gives the same pair.
 */
export function relatedDictionaries(
  relation: Relation,
  { latents, d, seed = 0 }: { latents: number; d: number; seed?: number },
): RelatedDictionaries {
  const random = Random.fromSeed(seed, relation);
  const order = random.permutation(latents);
  const blank = () => new Float32Array(latents * d);
  const a = { latents, d, wEnc: blank(), wDec: blank() };
  const b = { latents, d, wEnc: blank(), wDec: blank() };
  const planted = new Int32Array(latents).fill(-1);
  const centres = entries(random, Math.ceil(latents / familySize) * d);
  for (let i = 0; i < latents; i++) {
    const to = order[i];
    const families = relation !== 'independent';
    const direction = families ? member(random, centres, d) : entries(random, d);
    place(a, i, direction, noisy(random, direction, 0.5));
    const shared = relation === 'copy' || (relation === 'trained' && i % 2 === 0);
    if (shared) planted[i] = to;
    if (relation === 'copy') {
      b.wDec.set(a.wDec.subarray(i * d, (i + 1) * d), to * d);
      b.wEnc.set(a.wEnc.subarray(i * d, (i + 1) * d), to * d);
      continue;
    }
    const noise = 0.1 + 1.1 * random.uniform();
    const other = shared
      ? noisy(random, direction, noise)
      : families
        ? member(random, centres, d)
        : entries(random, d);
    place(b, to, other, noisy(random, other, 0.5));
  }
  return { a, b, planted };
}

/** Random numbers of variance 1. They are uniform, not normal, for speed: hundreds of millions are drawn, and their sums are normal either way. */
function entries(random: Random, count: number): Float32Array {
  return Float32Array.from({ length: count }, () => entry(random));
}
function entry(random: Random): number {
  return (random.uint32() / 2 ** 32 - 0.5) * Math.sqrt(12);
}

function member(random: Random, centres: Float32Array, d: number): Float32Array {
  const from = random.below(centres.length / d) * d;
  const own = entries(random, d);
  return own.map((x, k) => lean * centres[from + k] + Math.sqrt(1 - lean ** 2) * x);
}

/** A direction whose cosine with the given one is about 1/√(1 + noise²). */
function noisy(random: Random, direction: Float32Array, noise: number): Float32Array {
  return direction.map((x) => x + noise * entry(random));
}

function place(into: ComparedDictionary, latent: number, decoder: Float32Array, encoder: Float32Array): void {
  into.wDec.set(decoder, latent * into.d);
  into.wEnc.set(encoder, latent * into.d);
}
