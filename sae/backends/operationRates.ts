/**
 * How fast the started backend is at a single operation. A GPU answers after a fraction of a millisecond however short the work was, so
 * where it has a clock its own times count; and it raises its frequency only after some work, so the first runs don't.
 */
import { fusedKernels } from '../ops/kernelTable.ts';
import { tf, type Tensor } from '../tensor/tf.ts';

const tries = 5;
/** Milliseconds of work before any time counts. */
const warmUp = 100;
/** Numbers that are copied: 256 MB read and written together, or 2 GB where that takes less than `short` ms, because caches are larger there. */
const copied = { usual: 2 ** 25, large: 2 ** 28 };
const short = 2;

/** Milliseconds of one `run`, the best of several. */
export async function operationMs(run: () => Tensor): Promise<number> {
  const started = performance.now();
  let best = Infinity;
  await onceMs(run);
  while (performance.now() - started < warmUp) await onceMs(run);
  for (let n = 0; n < tries; n++) best = Math.min(best, await onceMs(run));
  return best;
}

/** GB/s read plus written by an element-wise operation that no cache holds. */
export async function copyRate(): Promise<number> {
  const rate = async (count: number) => {
    const x = tf.tidy(() => tf.broadcastTo(tf.scalar(1), [count]));
    try {
      const ms = await operationMs(() => tf.relu(x));
      return { ms, gigabytes: (2 * 4 * count) / ms / 1e6 };
    } finally {
      x.dispose();
    }
  };
  const usual = await rate(copied.usual);
  return usual.ms < short ? (await rate(copied.large)).gigabytes : usual.gigabytes;
}

async function onceMs(run: () => Tensor): Promise<number> {
  let elapsed = 0;
  const whole = async () => {
    const started = performance.now();
    const result = run();
    // Backends that work in the background have finished once a value is read. Of its own: a tensor that was read, or
    // whose memory another shares, cannot lend it to the next, which would be timed with fresh memory's page faults.
    const last = result.slice(
      result.shape.map((size) => size - 1),
      result.shape.map(() => 1),
    );
    await last.data();
    elapsed = performance.now() - started;
    tf.dispose([result, last]);
  };
  const kernels = fusedKernels().timed ? await fusedKernels().timed?.(whole) : (await whole(), null);
  return kernels?.reduce((sum, { milliseconds }) => sum + milliseconds, 0) || elapsed;
}
