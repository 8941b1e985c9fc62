/**
 * What the started backend gets out of this machine: the rate of a large matrix product, checked before it
 * is timed, and the bandwidth of a copy that no cache holds. `lazyscope bench gemm` prints both.
 */
import { LazyscopeError } from '../errors.ts';
import { Random } from '../numerics/random.ts';
import { tf, type Tensor2D } from '../tensor/tf.ts';
import { copyRate, operationMs } from './operationRates.ts';

export interface GemmBenchmark {
  /** GFLOP/s of a [1024, 768]×[768, 8192] product in float32, the best of several. */
  gemmGflops: number;
  /** GB/s read plus written by an element-wise operation on 256 MB, or on 2 GB where that is short, the best of several. */
  copyGBs: number;
}

const rows = 1024;
const depth = 768;
const columns = 8192;

export async function benchGemm(): Promise<GemmBenchmark> {
  const random = Random.fromSeed(0, 'benchGemm');
  const a = tf.tensor2d(random.normals(rows * depth), [rows, depth]);
  const b = tf.tensor2d(random.normals(depth * columns), [depth, columns]);
  try {
    await check(a, b);
    const product = await operationMs(() => tf.matMul(a, b));
    return { gemmGflops: (2 * rows * depth * columns) / product / 1e6, copyGBs: await copyRate() };
  } finally {
    tf.dispose([a, b]);
  }
}

/** A wrong product is not worth timing: entries drawn at random against sums in double precision. */
async function check(a: Tensor2D, b: Tensor2D): Promise<void> {
  const random = Random.fromSeed(1, 'benchGemm');
  const c = tf.matMul(a, b);
  const [left, right, result] = await Promise.all([a.data(), b.data(), c.data()]);
  c.dispose();
  for (let n = 0; n < 200; n++) {
    const i = random.below(rows);
    const j = random.below(columns);
    let sum = 0;
    for (let k = 0; k < depth; k++) sum += left[i * depth + k] * right[k * columns + j];
    if (!(Math.abs(result[i * columns + j] - sum) < 1e-3))
      throw new LazyscopeError(
        'unavailable',
        `Backend ${tf.getBackend()} computes wrong products: element (${i}, ${j}) is ${result[i * columns + j]} instead of ${sum}.`,
      );
  }
}
