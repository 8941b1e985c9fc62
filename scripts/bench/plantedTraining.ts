/**
 * What a benchmark of training starts from: activations made of planted directions, and a dictionary whose rows are these
 * directions, so that it behaves like a trained one from the first step. For ReLU, JumpReLU and gated ones, thresholds let `l0` latents
 * through. Both are made in about a second for 24,576 latents, because a lent GPU is paid for while they are.
 */
import { zerosLike, type DictionaryArrays } from '../../sae/autoencoders/dictionary.ts';
import { configuredArchitecture } from '../../sae/autoencoders/implementations.ts';
import { Random } from '../../sae/numerics/random.ts';
import { fusedKernels } from '../../sae/ops/kernelTable.ts';
import { sparseEntries } from '../../sae/ops/sparseEntries.ts';
import {
  type ArchitectureName,
  describedArchitecture,
  settingOfK,
  type TrainingConfig,
} from '../../sae/spec/architectures/architectures.ts';
import { hooksIn } from '../../sae/spec/jointHook.ts';
import { tf, type Tensor2D } from '../../sae/tensor/tf.ts';
import type { BatchSource } from '../../sae/training/batchSource.ts';
import { defaultTrainingConfig } from '../../sae/training/defaults.ts';
import type { TrainerState } from '../../sae/training/trainer.ts';

/** Number of batches that are made beforehand and repeated, so that making them is not timed. */
const kept = 4;
const featuresAToken = 32;
/** Latents on a token that are above the lower edge of JumpReLU's band, as a multiple of L0: as in trained demo dictionaries. */
const listedByL0 = 5;
/** The largest prime below 2²². */
const drawn = 4_194_301;
/** How long encoder rows of dead latents are. */
const deadShare = 1 / 4;
/** Rows made at once, and rows by which thresholds are chosen. */
const blockRows = 512;
const calibrationRows = 16;

export interface PlantedTraining {
  readonly source: BatchSource;
  readonly state: TrainerState;
  /** The bandwidth of JumpReLU's window that lists as many latents as in a trained dictionary. */
  readonly bandwidth: number;
}

/** What is trained: transcoders predict what they read, of the same width, and crosscoders read three hook points. */
export const plantedKinds = ['autoencoder', 'transcoder', 'skip transcoder', 'crosscoder'] as const;
export type PlantedKind = (typeof plantedKinds)[number];
const layersOfCrosscoders = 3;

export interface PlantedSizes {
  readonly d: number;
  readonly width: number;
  readonly k: number;
  readonly batchSize: number;
  readonly seeds: number;
}

/** A configuration whose learning rate is tiny, so that the dictionary stays as it is planted. */
export function plantedConfig(
  architecture: ArchitectureName,
  { d, width, k, batchSize, seeds }: PlantedSizes,
  kind: PlantedKind = 'autoencoder',
): TrainingConfig {
  const hook = (block: number) => `blocks.${block}.hook_resid_post`;
  const isCrosscoder = kind === 'crosscoder';
  const settingK = settingOfK(architecture);
  return defaultTrainingConfig(architecture, {
    capture: 'bench',
    hook: isCrosscoder ? Array.from({ length: layersOfCrosscoders }, (_, l) => hook(l)).join() : hook(0),
    ...(kind.endsWith('transcoder') && { outputHook: hook(1) }),
    ...(kind === 'skip transcoder' && { skip: true }),
    d,
    width,
    batchSize,
    // Long enough not to end, so that a batch is on its way during every step.
    tokens: batchSize * 100_000,
    seeds: Array.from({ length: seeds }, (_, seed) => seed),
    learningRate: 1e-8,
    // If latents counted as dead in so short a run, the auxiliary loss would be timed too.
    deadAfter: 1e9,
    ...(settingK && { [settingK]: k }),
  });
}

/**
 * Draws everything on the started backend. `l0` is the number of latents that fire a token where thresholds decide. The last `dead` latents count as dead:
 * no activation is made of their directions, and their encoder rows are short, so that they don't fire.
 */
export function plantedTraining(config: TrainingConfig, d: number, l0: number, dead = 0): PlantedTraining {
  const { width, batchSize } = config;
  const directions = unitRows(width, d);
  const rows = tf.tensor2d(directions, [width, d]);
  try {
    const batches = plantedBatches(rows, batchSize, width - dead);
    const architecture = configuredArchitecture(config);
    const scale = architecture.inputScale(d, norms(batches[0], d));
    const thresholds = describedArchitecture(config.architecture).inference.fires !== 'largest';
    const cuts = thresholds ? cutsOf(batches[0], rows, scale, l0) : { fires: 0, listed: 0 };
    const blocks = blocksOf(config, d);
    const parameters = trainedParameters(config, directions, cuts.fires, blocks);
    // Otherwise chance would bring some of them among the largest of a token.
    for (let i = (width - dead) * d; i < parameters.wEnc.length; i++) parameters.wEnc[i] *= deadShare;
    const dictionaries = config.seeds.map((_, seed) => {
      const own = seed === 0 ? parameters : copied(parameters);
      return {
        parameters: own,
        first: zerosLike(own),
        second: zerosLike(own),
        sinceFired: new Float64Array(width).fill(Infinity, width - dead),
        state: describedArchitecture(config.architecture).trainingState,
      };
    });
    return {
      source: {
        ...repeated(batches, d, batchSize, config.outputHook !== undefined),
        ...(blocks && { blocks }),
      },
      state: { step: 0, scale, dictionaries },
      bandwidth: Math.max(2 * (cuts.fires - cuts.listed), 1e-6),
    };
  } finally {
    rows.dispose();
  }
}

/**
 * Rows of norm 1, [rows, d]. Elements are uniform and drawn by xorshift32 (Marsaglia, 2003), twenty times as fast as normals. Of a wide
 * dictionary only the first `drawn` are, and then come again: their number is a prime, so that no row is another one, only shifted
 * against it, which makes it as good as orthogonal to it.
 */
function unitRows(rows: number, d: number): Float32Array {
  const out = new Float32Array(rows * d);
  const first = out.subarray(0, Math.min(drawn, out.length));
  let word = 0x9e3779b9 | 0;
  for (let i = 0; i < first.length; i++) {
    word ^= word << 13;
    word ^= word >>> 17;
    word ^= word << 5;
    first[i] = word / 2 ** 31;
  }
  for (let from = drawn; from < out.length; from += drawn)
    out.set(first.subarray(0, Math.min(drawn, out.length - from)), from);
  for (let from = 0; from < out.length; from += d) {
    let square = 0;
    for (let i = from; i < from + d; i++) square += out[i] * out[i];
    const scale = 1 / Math.sqrt(square);
    for (let i = from; i < from + d; i++) out[i] *= scale;
  }
  return out;
}

/** Batches whose rows are sums of `featuresAToken` different directions, with strengths between 0.5 and 1.5. */
function plantedBatches(directions: Tensor2D, batchSize: number, alive: number): Float32Array[] {
  const [width, d] = directions.shape;
  const each = Math.min(featuresAToken, alive);
  const random = Random.fromSeed(0, 'bench batches');
  return Array.from({ length: kept }, () => {
    const batch = fusedKernels().batchMemory?.(batchSize * d) ?? new Float32Array(batchSize * d);
    for (let first = 0; first < batchSize; first += blockRows) {
      const rows = Math.min(blockRows, batchSize - first);
      const indices = new Int32Array(rows * each);
      for (let row = 0; row < rows; row++) indices.set(chosen(random, alive, each), row * each);
      const strengths = Float32Array.from(indices, () => 0.5 + random.uniform());
      const starts = Int32Array.from({ length: rows + 1 }, (_, row) => row * each);
      const entries = sparseEntries(width, starts, indices, strengths);
      const made = fusedKernels().sparseDecode(entries, directions);
      batch.set(made.dataSync(), first * d);
      tf.dispose([made, entries.rowStart, entries.indices, entries.values]);
    }
    return batch;
  });
}

/** `count` different numbers below `bound`, ascending. */
function chosen(random: Random, bound: number, count: number): Int32Array {
  const drawn = new Set<number>();
  while (drawn.size < count) drawn.add(random.below(bound));
  return Int32Array.from(drawn).sort();
}

function norms(batch: Float32Array, d: number): { meanNorm: number; meanSquaredNorm: number } {
  const rows = batch.length / d;
  let [sum, squares] = [0, 0];
  for (let row = 0; row < rows; row++) {
    let square = 0;
    for (let i = row * d; i < (row + 1) * d; i++) square += batch[i] * batch[i];
    sum += Math.sqrt(square);
    squares += square;
  }
  return { meanNorm: sum / rows, meanSquaredNorm: squares / rows };
}

/** The pre-activations that `l0` latents of a token exceed, and that as many do as are listed. */
function cutsOf(batch: Float32Array, directions: Tensor2D, scale: number, l0: number) {
  const [width, d] = directions.shape;
  const rows = Math.min(calibrationRows, batch.length / d);
  const x = batch.subarray(0, rows * d).map((value) => value * scale);
  const z = tf.tidy(() => tf.matMul(tf.tensor2d(x, [rows, d]), directions, false, true).flatten());
  const sorted = Float32Array.from(z.dataSync()).sort();
  z.dispose();
  const exceededBy = (latents: number) => sorted[sorted.length - Math.min(width, latents) * rows] ?? 0;
  return { fires: Math.max(exceededBy(l0), 1e-6), listed: exceededBy(listedByL0 * l0) };
}

/** Ends of the blocks of columns of a crosscoder's hook points. */
function blocksOf({ hook }: TrainingConfig, d: number): Int32Array | null {
  const layers = hooksIn(hook).length;
  return layers > 1
    ? Int32Array.from({ length: layers }, (_, l) => Math.round((d * (l + 1)) / layers))
    : null;
}

/** The directions as rows of both matrices, with biases and thresholds at `cut`. */
function trainedParameters(
  config: TrainingConfig,
  directions: Float32Array,
  cut: number,
  blocks: Int32Array | null,
): DictionaryArrays {
  const { width } = config;
  const d = directions.length / width;
  // Which vectors an architecture has, a narrow dictionary says, which takes no time to draw.
  const narrow = configuredArchitecture({ ...config, width: 1 }).initialise(
    new Float32Array(d),
    new Float32Array(d),
    () => new Float32Array(d),
  );
  const { fires } = describedArchitecture(config.architecture).inference;
  const filled = (value: number) => new Float32Array(width).fill(value);
  return {
    wEnc: directions,
    // About what size 1 makes of a crosscoder's rows; the first step sets it right.
    wDec: blocks ? directions.map((value) => value / Math.sqrt(blocks.length)) : directions.slice(),
    bDec: new Float32Array(d),
    ...(config.skip && { wSkip: new Float32Array(d * d) }),
    bEnc: filled(fires === 'positive' || narrow.bMag ? -cut : 0),
    logThreshold: narrow.logThreshold && filled(Math.log(cut)),
    rMag: narrow.rMag && filled(narrow.rMag[0]),
    bMag: narrow.bMag && filled(-cut),
  };
}

const copied = (arrays: DictionaryArrays): DictionaryArrays => ({
  wEnc: arrays.wEnc.slice(),
  bEnc: arrays.bEnc.slice(),
  wDec: arrays.wDec.slice(),
  bDec: arrays.bDec.slice(),
  logThreshold: arrays.logThreshold?.slice() ?? null,
  rMag: arrays.rMag?.slice() ?? null,
  bMag: arrays.bMag?.slice() ?? null,
  wSkip: arrays.wSkip?.slice() ?? null,
});

/** With `predicts`, what is read is what is to be predicted too. */
function repeated(
  batches: readonly Float32Array[],
  d: number,
  batchSize: number,
  predicts: boolean,
): BatchSource {
  let position = 0;
  // Kernels that give memory for batches leave it as it is.
  const isKept = fusedKernels().batchMemory !== undefined;
  return {
    d,
    batchSize,
    next() {
      const batch = batches[position++ % batches.length];
      return isKept ? batch : batch.slice();
    },
    ...(predicts && {
      outputs() {
        const batch = batches[(position - 1) % batches.length];
        return isKept ? batch : batch.slice();
      },
    }),
    state: () => ({ seed: 0, epoch: 0, position }),
    restore: (state) => void ({ position } = state),
  };
}
