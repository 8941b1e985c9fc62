/** Latents with similar decoder rows, found by products of blocks of unit rows, so that the matrix of all pairs is never in memory. */
import { pause } from '../pause.ts';
import { silent, type Report } from '../progress.ts';
import type { FlatLists } from '../store/parquet.ts';
import { tf } from '../tensor/tf.ts';
import { Largest } from './largest.ts';
import { ListBuilder } from './listBuilder.ts';

const blockNumbers = 1 << 23;

/** For each latent the `count` other latents with the largest cosine between decoder rows, largest first. wDec [latents, d]. */
export async function neighbours(
  wDec: Float32Array,
  latents: number,
  count: number,
  report: Report = silent,
  signal?: AbortSignal,
): Promise<{ neighbours: FlatLists; neighbourCosines: FlatLists }> {
  const d = wDec.length / latents;
  const found = Math.min(count, latents - 1);
  const indices = new ListBuilder(Int32Array, latents, found);
  const cosines = new ListBuilder(Float32Array, latents, found);
  if (found > 0) {
    const rows = unitRows(wDec, d);
    const all = tf.tensor2d(rows, [latents, d]);
    const block = Math.max(1, Math.floor(blockNumbers / latents));
    const largest = new Largest(found);
    for (let from = 0; from < latents; from += block) {
      const to = Math.min(from + block, latents);
      const products = tf.tidy(() =>
        tf.matMul(tf.tensor2d(rows.subarray(from * d, to * d), [to - from, d]), all, false, true),
      );
      const values = products.dataSync<'float32'>();
      for (let row = 0; row < to - from; row++) {
        largest.scan(values, row * latents, latents, { except: from + row });
        indices.add(largest.places);
        cosines.add(largest.values);
      }
      products.dispose();
      report({ stage: 'index: neighbours', done: to, total: latents, unit: 'latents' });
      await pause(signal, 'indexing');
    }
    all.dispose();
  }
  return { neighbours: indices.lists(), neighbourCosines: cosines.lists() };
}

/** Scales rows to unit norm. A row of zeros stays zero, so that its cosine with every row is 0. */
function unitRows(matrix: Float32Array, d: number): Float32Array {
  const unit = Float32Array.from(matrix);
  for (let from = 0; from < unit.length; from += d) {
    const row = unit.subarray(from, from + d);
    const norm = Math.sqrt(row.reduce((sum, value) => sum + value * value, 0));
    if (norm > 0) for (let j = 0; j < d; j++) row[j] /= norm;
  }
  return unit;
}
