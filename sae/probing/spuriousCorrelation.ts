/**
 * Spurious correlation removal (Karvonen et al., 2411.18895, the SHIFT of Marks et al., 2403.19647, without a person; SAEBench,
 * 2503.09532, as its `scr_and_tpp` computes SCR): a probe that learnt from documents in which two properties always go together is freed of
 * one of them by setting the latents of the other to 0 (METHODS.md §13).
 */
import { logisticRegression, type LinearProbe } from '../numerics/logisticRegression.ts';
import type { Breathe } from '../numerics/minimiseSmooth.ts';
import { Random } from '../numerics/random.ts';
import { denseRows, meanDifference, type OneAgainstOthers, type PooledDocuments } from './pooledDocuments.ts';
import { drawSome } from './sparseProbing.ts';
import { latentsOfLargestEffect, rightOf, type Decoder } from './targetedPerturbation.ts';

export interface RemovalAtN {
  /** Latents that are set to 0. */
  n: number;
  /** (accuracy with them at 0 − biased accuracy) / (oracle's accuracy − biased accuracy); 0 where the oracle is less than 0.001 better. */
  scr: number;
  /** 95 %, by a bootstrap over test documents. */
  interval: [number, number];
  /** The same with as many latents drawn at random among those that have an effect, the mean over draws. */
  random: number;
}

/** Removal of one property from the biased probe, measured on the other. */
export interface RemovalOf {
  /** Accuracy on the property that is measured of a probe that learnt it alone. */
  oracle: number;
  /** The same of the probe that learnt from documents in which both properties go together. */
  biased: number;
  byN: RemovalAtN[];
}

export interface SpuriousRemoval {
  /** The second property is removed, and the first measured. */
  first: RemovalOf;
  /** The first property is removed, and the second measured. */
  second: RemovalOf;
  /** The one of the two that counts: where the biased probe is worse. Null where it is equally good at both. */
  counts: 'first' | 'second' | null;
}

/** The sets of SAEBench's `get_spurious_corr_data`, each with as many documents of either side. */
export interface PropertySets {
  readonly first: OneAgainstOthers;
  readonly second: OneAgainstOthers;
  /** Both properties together. */
  readonly biased: OneAgainstOthers;
}

const draws = 5;
const resamples = 500;
const leastGain = 0.001;

/**
 * `classes` are the four of both properties: first and second, first alone, second alone, neither. For each property half of the documents of
 * each class; for both together all of the first class and of the last.
 */
export function propertySets({ classes }: PooledDocuments, part: 'train' | 'test'): PropertySets {
  const [both, firstAlone, secondAlone, neither] = classes.map((one) => one[part]);
  const half = Math.floor(Math.min(...classes.map((one) => one[part].length)) / 2);
  const set = (positive: readonly number[], negative: readonly number[]): OneAgainstOthers => {
    const documents = [...positive, ...negative];
    return { documents, positive: Uint8Array.from(documents, (_, i) => (i < positive.length ? 1 : 0)) };
  };
  const some = (...from: readonly (readonly number[])[]) => from.flatMap((rows) => rows.slice(0, half));
  return {
    first: set(some(both, firstAlone), some(secondAlone, neither)),
    second: set(some(both, secondAlone), some(firstAlone, neither)),
    biased: set(both.slice(0, 2 * half), neither.slice(0, 2 * half)),
  };
}

/** `|(mean f̄ of one side − that of the other)·(w·W_dec)|` [latents], over the training documents of the probe w. */
export function propertyEffects(
  { codes }: PooledDocuments,
  { wDec, d }: Decoder,
  { weights }: LinearProbe,
  documents: OneAgainstOthers,
): Float64Array {
  return meanDifference(codes, documents).map((one, latent) => {
    if (one === 0) return 0;
    let dot = 0;
    for (let j = 0; j < d; j++) dot += weights[j] * wDec[latent * d + j];
    return Math.abs(one * dot);
  });
}

type Probes = { readonly [Set in keyof PropertySets]: LinearProbe };

/** Measures both directions for each n. `pause` is awaited between figures, and may throw. */
export async function spuriousRemoval(
  pooled: PooledDocuments,
  decoder: Decoder,
  ns: readonly number[],
  {
    probes: given,
    pause = async () => {},
    breathe,
  }: { probes?: Probes; pause?: () => Promise<void>; breathe?: Breathe | undefined } = {},
): Promise<SpuriousRemoval> {
  const train = propertySets(pooled, 'train');
  const test = propertySets(pooled, 'test');
  const fit = ({ documents, positive }: OneAgainstOthers) =>
    logisticRegression(denseRows(pooled.x, documents), positive, { breathe });
  const probes = given ?? {
    first: await fit(train.first),
    second: await fit(train.second),
    biased: await fit(train.biased),
  };
  const random = Random.fromSeed(0, 'spurious correlation removal');
  const removal = async (measured: 'first' | 'second'): Promise<RemovalOf> => {
    const removed = measured === 'first' ? 'second' : 'first';
    const effects = propertyEffects(pooled, decoder, probes[removed], train[removed]);
    const live = [...effects.keys()].filter((latent) => effects[latent] !== 0);
    const rights = (probe: LinearProbe, latents: readonly number[] = []) =>
      rightOf(pooled, decoder, test[measured], probe, new Set(latents));
    const [oracle, biased] = [rights(probes[measured]), rights(probes.biased)];
    const byN: RemovalAtN[] = [];
    for (const n of ns) {
      const without = rights(probes.biased, latentsOfLargestEffect(effects, n));
      let byChance = 0;
      for (let draw = 0; draw < draws; draw++) {
        const drawn = rights(probes.biased, drawSome(live, n, random));
        byChance += scoreOf({ oracle, biased, without: drawn }) / draws;
      }
      const outcomes = { oracle, biased, without };
      byN.push({ n, scr: scoreOf(outcomes), interval: bootstrapInterval(outcomes), random: byChance });
      await pause();
    }
    return { oracle: share(oracle), biased: share(biased), byN };
  };
  const [first, second] = [await removal('first'), await removal('second')];
  const counts = first.biased === second.biased ? null : first.biased < second.biased ? 'first' : 'second';
  return { first, second, counts };
}

/** For each test document, 1 where it is told right. */
interface Outcomes {
  oracle: Uint8Array;
  biased: Uint8Array;
  without: Uint8Array;
}

function share(rights: Uint8Array, documents?: Int32Array): number {
  if (!documents) return rights.reduce((sum, right) => sum + right, 0) / rights.length;
  return documents.reduce((sum, document) => sum + rights[document], 0) / documents.length;
}

function scoreOf({ oracle, biased, without }: Outcomes, documents?: Int32Array): number {
  const before = share(biased, documents);
  const gain = share(oracle, documents) - before;
  return gain < leastGain ? 0 : (share(without, documents) - before) / gain;
}

function bootstrapInterval(outcomes: Outcomes): [number, number] {
  const random = Random.fromSeed(0, 'bootstrap over documents');
  const count = outcomes.oracle.length;
  const scores = Float64Array.from({ length: resamples }, () =>
    scoreOf(
      outcomes,
      Int32Array.from({ length: count }, () => random.below(count)),
    ),
  ).sort();
  return [scores[Math.floor(0.025 * (resamples - 1))], scores[Math.ceil(0.975 * (resamples - 1))]];
}
