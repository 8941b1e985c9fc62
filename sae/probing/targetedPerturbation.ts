/**
 * Targeted probe perturbation (Karvonen et al., 2411.18895; SAEBench, 2503.09532, as its `scr_and_tpp` computes TPP): whether the latents
 * that matter most for one class can be set to 0 without harm to the probes of the others (METHODS.md §13).
 */
import { logisticRegression, probeScore, type LinearProbe } from '../numerics/logisticRegression.ts';
import type { Breathe } from '../numerics/minimiseSmooth.ts';
import { Random } from '../numerics/random.ts';
import {
  denseRows,
  largestPlaces,
  meanDifference,
  oneAgainstOthers,
  type PooledDocuments,
} from './pooledDocuments.ts';
import { drawSome } from './sparseProbing.ts';

export interface PerturbationAtN {
  /** Latents of each class that are set to 0. */
  n: number;
  /** Fall of the accuracy of a class's own probe, less the mean fall of the others', the mean over classes. */
  tpp: number;
  /** 95 %, by a bootstrap over test documents of each class. */
  interval: [number, number];
  intended: number;
  unintended: number;
  /** The same with as many latents drawn at random among those that fire, the mean over draws. */
  random: number;
}

/** The dictionary's decoder. */
export interface Decoder {
  /** [latents, d] */
  readonly wDec: Float32Array;
  readonly d: number;
}

const draws = 5;
const resamples = 500;

/** A probe of all coordinates for each class. */
export async function classProbes(
  { x, classes }: PooledDocuments,
  breathe?: Breathe,
): Promise<LinearProbe[]> {
  const probes: LinearProbe[] = [];
  for (let c = 0; c < classes.length; c++) {
    const { documents, positive } = oneAgainstOthers(classes, c, 'train');
    probes.push(await logisticRegression(denseRows(x, documents), positive, { breathe }));
  }
  return probes;
}

/**
 * The effect of each latent on the probe of class c: how much stronger it is on that class's training documents than on others, and not
 * less than 0, times `w_c · W_dec`.
 */
export function latentEffects(
  { codes, classes }: PooledDocuments,
  { wDec, d }: Decoder,
  { weights }: LinearProbe,
  c: number,
): Float64Array {
  const difference = meanDifference(codes, oneAgainstOthers(classes, c, 'train'));
  return difference.map((one, latent) => {
    if (one <= 0) return 0;
    let dot = 0;
    for (let j = 0; j < d; j++) dot += weights[j] * wDec[latent * d + j];
    return one * dot;
  });
}

/** The n latents of largest effect, or all whose effect is not 0 where these are fewer. */
export function latentsOfLargestEffect(effects: Float64Array, n: number): number[] {
  const some = effects.reduce((count, effect) => count + (effect === 0 ? 0 : 1), 0);
  return largestPlaces(effects, Math.min(n, some));
}

/** Falls of accuracy [ablated class][probe] become the score: `mean_i (fall_ii − mean_{j≠i} fall_ij)`. */
function scoreOf(falls: readonly (readonly number[])[]) {
  const classes = falls.length;
  let intended = 0;
  let unintended = 0;
  for (let i = 0; i < classes; i++)
    for (let j = 0; j < classes; j++)
      if (i === j) intended += falls[i][j] / classes;
      else unintended += falls[i][j] / (classes * (classes - 1));
  return { tpp: intended - unintended, intended, unintended };
}

/** Measures TPP for each n. `pause` is awaited between figures, and may throw. */
export async function targetedPerturbation(
  pooled: PooledDocuments,
  decoder: Decoder,
  ns: readonly number[],
  {
    probes: given,
    pause = async () => {},
    breathe,
  }: {
    probes?: readonly LinearProbe[];
    pause?: () => Promise<void>;
    breathe?: Breathe | undefined;
  } = {},
): Promise<PerturbationAtN[]> {
  const probes = given ?? (await classProbes(pooled, breathe));
  const { classes, codes } = pooled;
  const effects = classes.map((_, c) => latentEffects(pooled, decoder, probes[c], c));
  const live = Array.from({ length: codes.width }, (_, i) => i).filter((i) =>
    effects.some((one) => one[i] !== 0),
  );
  const random = Random.fromSeed(0, 'targeted probe perturbation');
  const tests = classes.map((_, c) => oneAgainstOthers(classes, c, 'test'));
  const clean = tests.map((test, j) => rightOf(pooled, decoder, test, probes[j], new Set()));
  const rightWithout = (latents: ReadonlySet<number>) =>
    tests.map((test, j) => rightOf(pooled, decoder, test, probes[j], latents));
  const byN: PerturbationAtN[] = [];
  for (const n of ns) {
    const ablated = effects.map((one) => rightWithout(new Set(latentsOfLargestEffect(one, n))));
    let byChance = 0;
    for (let draw = 0; draw < draws; draw++) {
      const drawn = classes.map(() => rightWithout(new Set(drawSome(live, n, random))));
      byChance += scoreOf(fallsOf(clean, drawn)).tpp / draws;
    }
    byN.push({
      n,
      ...scoreOf(fallsOf(clean, ablated)),
      interval: bootstrapInterval(pooled, clean, ablated),
      random: byChance,
    });
    await pause();
  }
  return byN;
}

/** 1 for each test document that the probe tells right, once the latents' part of the activations is taken out: x̄ − Σ f̄ W_dec, the error kept. */
export function rightOf(
  { x, codes }: PooledDocuments,
  { wDec, d }: Decoder,
  { documents, positive }: { documents: readonly number[]; positive: Uint8Array },
  probe: LinearProbe,
  latents: ReadonlySet<number>,
): Uint8Array {
  const along = new Map<number, number>();
  for (const latent of latents) {
    let dot = 0;
    for (let j = 0; j < d; j++) dot += probe.weights[j] * wDec[latent * d + j];
    along.set(latent, dot);
  }
  return Uint8Array.from(documents, (row, n) => {
    let score = probeScore(probe, x.values, row * d);
    if (along.size > 0)
      for (let e = codes.rowStart[row]; e < codes.rowStart[row + 1]; e++)
        score -= codes.values[e] * (along.get(codes.indices[e]) ?? 0);
    return score > 0 === (positive[n] === 1) ? 1 : 0;
  });
}

type Rights = readonly Uint8Array[]; // [probe][test document]

const unweighted = () => 1;

function fallsOf(
  clean: Rights,
  ablated: readonly Rights[],
  weight: (j: number, n: number) => number = unweighted,
) {
  return ablated.map((rights) =>
    rights.map((right, j) => {
      let fall = 0;
      let total = 0;
      for (let n = 0; n < right.length; n++) {
        const one = weight(j, n);
        fall += one * (clean[j][n] - right[n]);
        total += one;
      }
      return total === 0 ? 0 : fall / total;
    }),
  );
}

function bootstrapInterval(
  { classes }: PooledDocuments,
  clean: Rights,
  ablated: readonly Rights[],
): [number, number] {
  const random = Random.fromSeed(0, 'bootstrap over documents');
  const tests = classes.map((_, c) => oneAgainstOthers(classes, c, 'test').documents);
  const scores = new Float64Array(resamples);
  for (let resample = 0; resample < resamples; resample++) {
    const drawn = new Map<number, number>();
    for (const { test } of classes)
      for (let draw = 0; draw < test.length; draw++) {
        const row = test[random.below(test.length)];
        drawn.set(row, (drawn.get(row) ?? 0) + 1);
      }
    scores[resample] = scoreOf(fallsOf(clean, ablated, (j, n) => drawn.get(tests[j][n]) ?? 0)).tpp;
  }
  scores.sort();
  return [scores[Math.floor(0.025 * (resamples - 1))], scores[Math.ceil(0.975 * (resamples - 1))]];
}
