/**
 * Feature absorption on first letters (Chanin et al., 2409.14507; SAEBench, 2503.09532, as its `absorption` computes it): words whose
 * first letter a probe finds in the activations while the latents of that letter stay silent, because latents of narrower things carry
 * the letter too (METHODS.md §13).
 */
import {
  logisticRegression,
  probeScore,
  type Examples,
  type LinearProbe,
} from '../numerics/logisticRegression.ts';
import type { Breathe } from '../numerics/minimiseSmooth.ts';
import { Random } from '../numerics/random.ts';
import { sparseLogisticRegression, type SparseExamples } from '../numerics/sparseLogisticRegression.ts';
import { denseRows, largestPlaces, latentsOfRows } from './pooledDocuments.ts';
import type { Decoder } from './targetedPerturbation.ts';

/** Words, each with what stands at it. */
export interface Words {
  /** Activations [words, d]. */
  readonly x: Examples;
  /** Latents [words, latents]. */
  readonly codes: SparseExamples;
  /** The first letter of each, 0 for a to 25 for z. */
  readonly letters: Uint8Array;
  readonly train: readonly number[];
  readonly test: readonly number[];
}

export interface LetterAbsorption {
  letter: string;
  /** F1 of the probe on test words; letters above `leastProbeF1` count. */
  probeF1: number;
  /** The latents that stand for the letter, and the F1 of a probe of them. */
  latents: number[];
  latentF1: number;
  /** Test words of the letter that the probe finds: those that figures are means over. */
  words: number;
  /** Mean share of the letter that other latents carry, and share of words where one of them carries it while the letter's are silent. */
  fraction: number;
  full: number;
}

export interface Absorption {
  trainWords: number;
  testWords: number;
  letters: LetterAbsorption[];
  /** How many letters count. The figures are means over them, null where there are none. */
  counted: number;
  fraction: number | null;
  /** 95 %, by a bootstrap over the words of each letter. */
  fractionInterval: [number, number] | null;
  full: number | null;
  fullInterval: [number, number] | null;
  latentsPerLetter: number | null;
  /** The same with the directions of all other latents exchanged at random, the mean over draws. */
  chanceFraction: number | null;
  chanceFull: number | null;
}

/** SAEBench's values. */
const leastProbeF1 = 0.6;
const leastF1Rise = 0.03;
const mostLatents = 10;
const latentPenalty = 0.01;
const fullCosine = 0.025;
const fractionCosine = 0.1;
const leastProportion = 0.4;
const mostAbsorbing = 3;
const silent = 1e-8;

/** Of a letter with fewer words to learn from, or fewer to test with, nothing is said. */
const leastWords = 5;
const draws = 5;
const resamples = 500;

/** Measures every letter with enough words. `pause` is awaited between letters and `breathe` within them; either may throw. */
export async function measureAbsorption(
  words: Words,
  decoder: Decoder,
  {
    pause = async () => {},
    breathe,
  }: { pause?: (done: number, of: number) => Promise<void>; breathe?: Breathe | undefined } = {},
): Promise<Absorption> {
  const random = Random.fromSeed(0, 'absorption');
  const letters: LetterAbsorption[] = [];
  const counting: {
    fractions: Float64Array;
    fulls: Float64Array;
    chance: { fraction: number; full: number };
  }[] = [];
  const among = (rows: readonly number[], letter: number) =>
    Uint8Array.from(rows, (row) => (words.letters[row] === letter ? 1 : 0));
  const training = sparseRows(words.codes, words.train);
  for (let letter = 0; letter < 26; letter++) {
    const truth = { train: among(words.train, letter), test: among(words.test, letter) };
    if (count(truth.train) >= leastWords && count(truth.test) >= leastWords) {
      const probe = await logisticRegression(denseRows(words.x, words.train), truth.train, {
        balanced: true,
        breathe,
      });
      const { latents, f1: latentF1 } = await letterLatents(words, training, truth, breathe);
      const found = words.test.filter(
        (row) => words.letters[row] === letter && probeScore(probe, words.x.values, row * decoder.d) > 0,
      );
      const cosines = decoderCosines(decoder, probe.weights);
      const measured = absorptionOf(words, found, { probe, latents, cosines });
      const probeF1 = f1Score(denseRows(words.x, words.test), truth.test, probe);
      letters.push({
        letter: String.fromCharCode(97 + letter),
        probeF1,
        latents,
        latentF1,
        words: found.length,
        fraction: average(measured.fractions),
        full: average(measured.fulls),
      });
      if (probeF1 > leastProbeF1 && found.length > 0)
        counting.push({ ...measured, chance: byChance(words, found, { probe, latents, cosines }, random) });
    }
    await pause(letter + 1, 26);
  }
  const some = counting.length > 0;
  const counted = letters.filter(({ probeF1, words: own }) => probeF1 > leastProbeF1 && own > 0);
  const meanOver = (values: readonly number[]) => (some ? average(values) : null);
  return {
    trainWords: words.train.length,
    testWords: words.test.length,
    letters,
    counted: counting.length,
    fraction: meanOver(counted.map(({ fraction }) => fraction)),
    fractionInterval: some ? bootstrapInterval(counting.map(({ fractions }) => fractions)) : null,
    full: meanOver(counted.map(({ full }) => full)),
    fullInterval: some ? bootstrapInterval(counting.map(({ fulls }) => fulls)) : null,
    latentsPerLetter: meanOver(counted.map(({ latents }) => latents.length)),
    chanceFraction: meanOver(counting.map(({ chance }) => chance.fraction)),
    chanceFull: meanOver(counting.map(({ chance }) => chance.full)),
  };
}

/**
 * The latents that stand for a letter: those of largest weight in a probe of all latents with an absolute penalty, as many as raise the
 * F1 of a probe of them by more than 0.03 each ("feature splitting").
 */
async function letterLatents(
  words: Words,
  training: SparseExamples,
  truth: { train: Uint8Array; test: Uint8Array },
  breathe: Breathe | undefined,
): Promise<{ latents: number[]; f1: number }> {
  const { weights } = await sparseLogisticRegression(training, truth.train, {
    penalty: latentPenalty,
    breathe,
  });
  const order = largestPlaces(weights, mostLatents).filter((latent, i) => i === 0 || weights[latent] > 0);
  let best = { latents: [] as number[], f1: -Infinity };
  for (let k = 1; k <= order.length; k++) {
    const latents = order.slice(0, k);
    const probe = await logisticRegression(latentsOfRows(words.codes, words.train, latents), truth.train, {
      balanced: true,
      breathe,
    });
    const f1 = f1Score(latentsOfRows(words.codes, words.test, latents), truth.test, probe);
    if (!(f1 > best.f1 + leastF1Rise)) break;
    best = { latents, f1 };
  }
  return best;
}

/** What a letter is measured with. */
export interface LetterProbe {
  readonly probe: Pick<LinearProbe, 'weights'>;
  /** The latents that stand for the letter. */
  readonly latents: readonly number[];
  /** Of the probe and each row of the decoder [latents]. */
  readonly cosines: Float64Array;
}

/**
 * The absorption of each of some words (SAEBench's `calculate_absorption`). With p the activations along the unit probe, f_i c_i what latent i
 * adds along it, m = Σ f_i c_i over the letter's latents and a the sum of the three largest f_i c_i of others with c_i ≥ 0.1: the fraction is 0
 * where m ≥ p or a < 0.4 p, 1 where m ≤ 0, and otherwise `a′/(a′ + m)`, a′ = min(a, p − m). It is full where no latent of the letter
 * fires, and the largest f_i c_i is of a latent with c_i ≥ 0.025 and at least 0.4 p, p ≥ 0.
 */
export function absorptionOf(
  { x, codes }: Pick<Words, 'x' | 'codes'>,
  rows: readonly number[],
  { probe: { weights }, latents, cosines }: LetterProbe,
): { fractions: Float64Array; fulls: Float64Array } {
  const own = new Set(latents);
  const norm = Math.sqrt(weights.reduce((sum, w) => sum + w * w, 0));
  const fractions = new Float64Array(rows.length);
  const fulls = new Float64Array(rows.length);
  for (const [n, row] of rows.entries()) {
    let projection = 0;
    for (let j = 0; j < x.width; j++) projection += (x.values[row * x.width + j] * weights[j]) / norm;
    let main = 0;
    let mainFires = false;
    let top = { part: 0, cosine: -Infinity };
    const absorbing: number[] = [];
    for (let e = codes.rowStart[row]; e < codes.rowStart[row + 1]; e++) {
      const cosine = cosines[codes.indices[e]];
      const part = codes.values[e] * cosine;
      if (part > top.part) top = { part, cosine };
      if (own.has(codes.indices[e])) {
        main += part;
        mainFires ||= codes.values[e] >= silent;
      } else if (cosine >= fractionCosine && part > 0) absorbing.push(part);
    }
    const absorbed = absorbing
      .sort((a, b) => b - a)
      .slice(0, mostAbsorbing)
      .reduce((sum, part) => sum + part, 0);
    fractions[n] = fractionOf(projection, main, absorbed);
    fulls[n] =
      !mainFires && top.cosine >= fullCosine && projection >= 0 && top.part >= leastProportion * projection
        ? 1
        : 0;
  }
  return { fractions, fulls };
}

function fractionOf(projection: number, main: number, absorbed: number): number {
  if (main >= projection || absorbed / projection < leastProportion) return 0;
  if (main <= 0) return 1;
  const part = Math.min(absorbed, projection - main);
  return Math.min(Math.max(part / (part + main), 0), 1);
}

/** The cosine of `direction` and each row of the decoder; 0 for rows of zeros. */
export function decoderCosines({ wDec, d }: Decoder, direction: Float64Array): Float64Array {
  const norm = Math.sqrt(direction.reduce((sum, one) => sum + one * one, 0));
  return Float64Array.from({ length: wDec.length / d }, (_, latent) => {
    let dot = 0;
    let square = 0;
    for (let j = 0; j < d; j++) {
      const w = wDec[latent * d + j];
      dot += w * direction[j];
      square += w * w;
    }
    return square === 0 ? 0 : dot / (Math.sqrt(square) * norm);
  });
}

function byChance(words: Words, rows: readonly number[], letter: LetterProbe, random: Random) {
  const own = new Set(letter.latents);
  const others = Array.from(letter.cosines.keys()).filter((latent) => !own.has(latent));
  let fraction = 0;
  let full = 0;
  for (let draw = 0; draw < draws; draw++) {
    const order = random.permutation(others.length);
    const cosines = Float64Array.from(letter.cosines);
    for (const [i, latent] of others.entries()) cosines[latent] = letter.cosines[others[order[i]]];
    const measured = absorptionOf(words, rows, { ...letter, cosines });
    fraction += average(measured.fractions) / draws;
    full += average(measured.fulls) / draws;
  }
  return { fraction, full };
}

/** F1 of "the probe's score is above 0"; 0 where nothing is found. */
function f1Score({ rows, width, values }: Examples, truth: Uint8Array, probe: LinearProbe): number {
  let right = 0;
  let found = 0;
  for (let n = 0; n < rows; n++)
    if (probeScore(probe, values, n * width) > 0) {
      found++;
      right += truth[n];
    }
  return right === 0 ? 0 : (2 * right) / (found + count(truth));
}

function sparseRows(
  { width, rowStart, indices, values }: SparseExamples,
  rows: readonly number[],
): SparseExamples {
  const start = new Int32Array(rows.length + 1);
  for (const [n, row] of rows.entries()) start[n + 1] = start[n] + rowStart[row + 1] - rowStart[row];
  const chosen = {
    indices: new Int32Array(start[rows.length]),
    values: new Float32Array(start[rows.length]),
  };
  for (const [n, row] of rows.entries()) {
    chosen.indices.set(indices.subarray(rowStart[row], rowStart[row + 1]), start[n]);
    chosen.values.set(values.subarray(rowStart[row], rowStart[row + 1]), start[n]);
  }
  return { rows: rows.length, width, rowStart: start, ...chosen };
}

/** 95 % of the mean over strata of their means, by drawing within each with replacement. */
function bootstrapInterval(strata: readonly Float64Array[]): [number, number] {
  const random = Random.fromSeed(0, 'bootstrap over words');
  const means = new Float64Array(resamples);
  for (let resample = 0; resample < resamples; resample++)
    for (const values of strata) {
      let sum = 0;
      for (let draw = 0; draw < values.length; draw++) sum += values[random.below(values.length)];
      means[resample] += sum / values.length / strata.length;
    }
  means.sort();
  return [means[Math.floor(0.025 * (resamples - 1))], means[Math.ceil(0.975 * (resamples - 1))]];
}

const count = (truth: Uint8Array) => truth.reduce((sum, one) => sum + one, 0);

function average(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i];
  return values.length === 0 ? 0 : sum / values.length;
}
