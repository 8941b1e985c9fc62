/**
 * What the started backend gets out of this machine: the rate of a large matrix product, checked before it
 * is timed, and the bandwidth of a copy that no cache holds. `lazyscope bench gemm` prints both.
 */
import { LazyscopeError } from '../errors.ts';
import { Random } from '../numerics/random.ts';
import { tf, type Tensor, type Tensor2D } from '../tensor/tf.ts';

export interface GemmBenchmark {
  /** GFLOP/s of a [1024, 768]×[768, 8192] product in float32, the best of several. */
  gemmGflops: number;
  /** GB/s read plus written by an element-wise operation on 256 MB, the best of several. */
  copyGBs: number;
}

const rows = 1024;
const depth = 768;
const columns = 8192;
const copied = 2 ** 25;
const tries = 5;

export async function benchGemm(): Promise<GemmBenchmark> {
  const random = Random.fromSeed(0, 'benchGemm');
  const a = tf.tensor2d(random.normals(rows * depth), [rows, depth]);
  const b = tf.tensor2d(random.normals(depth * columns), [depth, columns]);
  const x = tf.zeros([copied]);
  try {
    await check(a, b);
    const product = await fastest(() => tf.matMul(a, b));
    const copy = await fastest(() => tf.neg(x));
    return {
      gemmGflops: (2 * rows * depth * columns) / product / 1e6,
      copyGBs: (2 * 4 * copied) / copy / 1e6,
    };
  } finally {
    tf.dispose([a, b, x]);
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

/** Milliseconds of the fastest of several runs, after one to warm up. */
async function fastest(run: () => Tensor): Promise<number> {
  let best = Infinity;
  for (let n = 0; n <= tries; n++) {
    const started = performance.now();
    const result = run();
    // Backends that work in the background have finished once a value is read. Of its own: a tensor that was read, or
    // whose memory another shares, cannot lend it to the next, which would be timed with fresh memory's page faults.
    const last = result.slice(
      result.shape.map((size) => size - 1),
      result.shape.map(() => 1),
    );
    await last.data();
    if (n > 0) best = Math.min(best, performance.now() - started);
    tf.dispose([result, last]);
  }
  return best;
}
