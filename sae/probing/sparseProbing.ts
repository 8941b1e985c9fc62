/**
 * k-sparse probing (Gurnee et al., 2305.01610; SAEBench, 2503.09532, as its `sparse_probing` computes it): how well the k latents that
 * differ most between a class and the others tell them apart (METHODS.md §13).
 */
import { jeffreysInterval } from '../numerics/jeffreysInterval.ts';
import { logisticRegression, probeScore, type Examples } from '../numerics/logisticRegression.ts';
import type { Breathe } from '../numerics/minimiseSmooth.ts';
import { Random } from '../numerics/random.ts';
import {
  denseMeanDifference,
  denseRows,
  largestPlaces,
  latentsOfRows,
  meanDifference,
  oneAgainstOthers,
  type DocumentClass,
  type PooledDocuments,
} from './pooledDocuments.ts';

export interface SparseProbingAtK {
  k: number;
  /** Share of test documents that are told right, the mean over classes. */
  accuracy: number;
  /** Jeffreys' 95 % interval of it, from the pooled counts of all classes. */
  interval: [number, number];
  /** The same with the k coordinates of the activations themselves that differ most. */
  coordinates: number;
  /** By chance: with k latents drawn at random among those that fire on the training documents, and with the classes of the training documents exchanged at random; means over draws. */
  randomLatents: number;
  shuffledLabels: number;
}

export interface ClassProbing {
  name: string;
  /** Of a probe of all coordinates of the activations. */
  allCoordinates: number;
  /** For each k, which latents, the most different first, and their accuracy. */
  byK: { k: number; latents: number[]; accuracy: number }[];
}

export interface SparseProbing {
  byK: SparseProbingAtK[];
  /** Of probes of all coordinates: what there is to be found. */
  allCoordinates: number;
  allCoordinatesInterval: [number, number];
  classes: ClassProbing[];
}

const draws = 5;

/** Fits and tests every probe. `pause` is awaited between classes and `breathe` within fits; either may throw. */
export async function sparseProbing(
  pooled: PooledDocuments,
  ks: readonly number[],
  { pause = async () => {}, breathe }: { pause?: () => Promise<void>; breathe?: Breathe | undefined } = {},
): Promise<SparseProbing> {
  const { x, codes, classes } = pooled;
  const random = Random.fromSeed(0, 'sparse probing');
  const perClass: ClassProbing[] = [];
  const coordinates = ks.map(() => 0);
  const randomLatents = ks.map(() => 0);
  const shuffledLabels = ks.map(() => 0);
  const live = firing(pooled);
  for (const [c, { name }] of classes.entries()) {
    const test = oneAgainstOthers(classes, c, 'test');
    const train = oneAgainstOthers(classes, c, 'train');
    const accuracyOf = (fit: Examples, check: Examples, positive = train.positive) =>
      accuracy({ fit, positive, check, truth: test.positive }, breathe);
    const ofLatents = (latents: readonly number[], from = train) =>
      accuracyOf(
        latentsOfRows(codes, from.documents, latents),
        latentsOfRows(codes, test.documents, latents),
        from.positive,
      );
    const latentOrder = orderOf(meanDifference(codes, train), ks);
    const coordinateOrder = orderOf(denseMeanDifference(x, train), ks);
    const byK: ClassProbing['byK'] = [];
    for (const k of ks) {
      const latents = latentOrder.slice(0, k);
      byK.push({ k, latents, accuracy: await ofLatents(latents) });
    }
    for (const [i, k] of ks.entries()) {
      const some = coordinateOrder.slice(0, k);
      coordinates[i] += await accuracyOf(
        denseRows(x, train.documents, some),
        denseRows(x, test.documents, some),
      );
      for (let draw = 0; draw < draws; draw++) {
        const drawn = drawSome(live, k, random);
        randomLatents[i] += (await ofLatents(drawn)) / draws;
      }
    }
    for (let draw = 0; draw < draws; draw++) {
      const exchanged = oneAgainstOthers(exchangeTraining(classes, random), c, 'train');
      const order = orderOf(meanDifference(codes, exchanged), ks);
      for (const [i, k] of ks.entries())
        shuffledLabels[i] += (await ofLatents(order.slice(0, k), exchanged)) / draws;
    }
    const allCoordinates = await accuracyOf(denseRows(x, train.documents), denseRows(x, test.documents));
    perClass.push({ name, allCoordinates, byK });
    await pause();
  }
  const tests = classes.map((_, c) => oneAgainstOthers(classes, c, 'test').documents.length);
  const interval = (shares: readonly number[]) => pooledInterval(shares, tests);
  return {
    byK: ks.map((k, i) => ({
      k,
      accuracy: mean(perClass.map(({ byK }) => byK[i].accuracy)),
      interval: interval(perClass.map(({ byK }) => byK[i].accuracy)),
      coordinates: coordinates[i] / classes.length,
      randomLatents: randomLatents[i] / classes.length,
      shuffledLabels: shuffledLabels[i] / classes.length,
    })),
    allCoordinates: mean(perClass.map((one) => one.allCoordinates)),
    allCoordinatesInterval: interval(perClass.map((one) => one.allCoordinates)),
    classes: perClass,
  };
}

interface Trial {
  fit: Examples;
  positive: Uint8Array;
  check: Examples;
  truth: Uint8Array;
}

/** The share of `check` that a probe fitted to `fit` tells right. */
async function accuracy(
  { fit, positive, check, truth }: Trial,
  breathe: Breathe | undefined,
): Promise<number> {
  const probe = await logisticRegression(fit, positive, { breathe });
  let right = 0;
  for (let n = 0; n < check.rows; n++)
    if (probeScore(probe, check.values, n * check.width) > 0 === (truth[n] === 1)) right++;
  return right / check.rows;
}

const orderOf = (difference: Float64Array, ks: readonly number[]) =>
  largestPlaces(difference.map(Math.abs), Math.max(...ks));

/** Latents that fire on a training document. */
function firing({ codes: { width, rowStart, indices }, classes }: PooledDocuments): number[] {
  const seen = new Uint8Array(width);
  for (const { train } of classes)
    for (const row of train) for (let e = rowStart[row]; e < rowStart[row + 1]; e++) seen[indices[e]] = 1;
  return Array.from(seen.keys()).filter((latent) => seen[latent]);
}

export function drawSome(from: readonly number[], count: number, random: Random): number[] {
  return Array.from(random.permutation(from.length).subarray(0, count), (i) => from[i]);
}

/** Classes of the same sizes, of training documents that were exchanged at random. */
function exchangeTraining(classes: readonly DocumentClass[], random: Random): DocumentClass[] {
  const all = classes.flatMap(({ train }) => train);
  const order = random.permutation(all.length);
  let at = 0;
  return classes.map((one) => ({ ...one, train: one.train.map(() => all[order[at++]]) }));
}

function pooledInterval(shares: readonly number[], tests: readonly number[]): [number, number] {
  const right = shares.reduce((sum, share, c) => sum + Math.round(share * tests[c]), 0);
  return jeffreysInterval(
    right,
    tests.reduce((sum, one) => sum + one, 0),
  );
}

const mean = (values: readonly number[]) => values.reduce((sum, one) => sum + one, 0) / values.length;
