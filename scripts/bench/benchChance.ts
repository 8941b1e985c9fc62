/**
 * Times what `lazyscope compare` sets beside its figures: the covariance of the activations, the laws of random directions, a p-value for each
 * pair and the rotated dictionary, for two made-up dictionaries of any width.
 */
import { comparisonChance, SharedNulls } from '../../sae/comparison/chance/comparisonChance.ts';
import { randomOrthogonal } from '../../sae/comparison/chance/rotatedDictionary.ts';
import { unitRows } from '../../sae/comparison/directions.ts';
import { relatedDictionaries } from '../../sae/comparison/relatedDictionaries.ts';
import { LazyscopeError } from '../../sae/errors.ts';
import { Random } from '../../sae/numerics/random.ts';
import type { Report } from '../../sae/progress.ts';
import { tf } from '../../sae/tensor/tf.ts';
import { pairedUp } from './pairedUp.ts';
import { StageTimes } from './stageTimes.ts';

export interface ChanceBenchmark {
  latents: number;
  d: number;
  /** Rows of activations in the made-up capture. */
  tokens: number;
}

const threshold = 0.7;
/** Different rows of the made-up activations; they are given again and again. */
const distinctRows = 8192;

/**
 * Processor time by stage. Throws 'unavailable' where the answer is wrong, because then its time means nothing: half of the latents have a
 * planted counterpart, which must be beyond chance where its cosine is above 0.7, and the others are paired at random.
 */
export function benchChance({ latents, d, tokens }: ChanceBenchmark, report: Report) {
  report({ stage: 'make dictionaries', done: 0, total: latents, unit: 'latents' });
  const pair = relatedDictionaries('trained', { latents, d });
  const [a, b] = [pair.a, pair.b].map(({ wDec }) =>
    unitRows({ rows: latents, d, data: wDec }, 'a dictionary'),
  );
  const matched = pairedUp(a, b, pair.planted);
  const rows = madeUpRows(d, tokens);
  const times = new StageTimes();
  const told = times.report(report);
  const started = performance.now();
  const { manifest, chanceP } = comparisonChance({
    a,
    b,
    matched,
    threshold,
    activations: { rows, key: 'made up', hooks: ['made up', 'made up'] },
    nulls: new SharedNulls(),
    progress: (stage, done, total, unit) => told({ stage, done, total, unit }),
  });
  times.ended('rotation');
  const seconds = (performance.now() - started) / 1000;
  const near = [...pair.planted.keys()].filter((i) => pair.planted[i] >= 0 && matched.cosine[i] >= 0.7);
  const strangers = [...pair.planted.keys()].filter((i) => pair.planted[i] < 0);
  const beyond = (some: readonly number[]) =>
    some.filter((i) => chanceP[i] <= manifest.beyond.p).length / some.length;
  const result = {
    isotropic: manifest.isotropic,
    covariance: manifest.covariance ?? null,
    rotation: manifest.rotation ?? null,
    /** Shares of planted pairs with a cosine above the threshold, and of pairs made at random, that are called beyond chance. */
    planted: beyond(near),
    strangers: beyond(strangers),
    stages: times.stages,
    seconds,
    cpuSeconds: times.total,
    peakRssMb: process.resourceUsage().maxRSS / 1024,
  };
  if (result.planted < 0.9 || result.strangers > 0.05)
    throw new LazyscopeError('unavailable', `Chance is wrong for planted pairs: ${JSON.stringify(result)}.`);
  return result;
}

/** Normal rows whose covariance has the eigenvalues 1, ½, ⅓ … along random directions. */
function madeUpRows(d: number, tokens: number) {
  const random = Random.fromSeed(0, 'activations');
  const data = random.normals(distinctRows * d);
  for (let at = 0; at < data.length; at++) data[at] /= Math.sqrt(1 + (at % d));
  const turned = tf.tidy(() =>
    tf
      .matMul(
        tf.tensor2d(data, [distinctRows, d]),
        tf.tensor2d(Float32Array.from(randomOrthogonal(d, random)), [d, d]),
      )
      .dataSync<'float32'>()
      .slice(),
  );
  return {
    trainRows: tokens,
    width: () => d,
    readRows(_hook: string, start: number, count: number) {
      const out = new Float32Array(count * d);
      for (let row = 0; row < count; row++) {
        const from = ((start + row) % distinctRows) * d;
        out.set(turned.subarray(from, from + d), row * d);
      }
      return out;
    },
  };
}
