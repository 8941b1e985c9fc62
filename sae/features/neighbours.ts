/** Latents with similar decoder rows, found by products of blocks of unit rows, so that the matrix of all pairs is never in memory. */
import { pause } from '../pause.ts';
import { silent, type Report } from '../progress.ts';
import { takeBlock, type Block, type BlockFolder } from '../store/blocks.ts';
import type { FlatLists } from '../store/parquet.ts';
import { tf } from '../tensor/tf.ts';
import { joined, latentBlocks } from './latentBlocks.ts';
import { Largest } from './largest.ts';

const blockNumbers = 1 << 23;

export interface NeighbourOptions {
  wDec: Float32Array; // [latents, d]
  latents: number;
  count: number;
  report?: Report;
  signal?: AbortSignal | undefined;
}

/** Neighbours of some latents, [latents of the block × neighbours a latent], flat. */
type Found = { indices: Int32Array; cosines: Float32Array };

/** The neighbours in blocks of latents. `dispose` frees what they share. */
export function neighbourBlocks(options: NeighbourOptions): {
  blocks: Block<Found>[];
  perLatent: number;
  dispose(): void;
} {
  const { wDec, latents, count, report = silent, signal } = options;
  const d = wDec.length / latents;
  const perLatent = Math.min(count, latents - 1);
  if (perLatent <= 0) return { blocks: [], perLatent: 0, dispose() {} };
  const rows = unitRows(wDec, d);
  const all = tf.tensor2d(rows, [latents, d]);
  const atOnce = Math.max(1, Math.floor(blockNumbers / latents));
  const make = async (first: number, end: number): Promise<Found> => {
    const largest = new Largest(perLatent);
    const indices = new Int32Array((end - first) * perLatent);
    const cosines = new Float32Array((end - first) * perLatent);
    for (let from = first; from < end; from += atOnce) {
      const to = Math.min(from + atOnce, end);
      const products = tf.tidy(() =>
        tf.matMul(tf.tensor2d(rows.subarray(from * d, to * d), [to - from, d]), all, false, true),
      );
      const values = products.dataSync<'float32'>();
      for (let row = 0; row < to - from; row++) {
        largest.scan(values, row * latents, latents, { except: from + row });
        indices.set(largest.places, (from - first + row) * perLatent);
        cosines.set(largest.values, (from - first + row) * perLatent);
      }
      products.dispose();
      report({ stage: 'index: neighbours', done: to, total: latents, unit: 'latents' });
      await pause(signal, 'indexing');
    }
    return { indices, cosines };
  };
  return {
    blocks: latentBlocks(latents, atOnce, 'neighbours', make),
    perLatent,
    dispose: () => all.dispose(),
  };
}

/** For each latent the `count` other latents with the largest cosine between decoder rows, largest first. */
export async function neighbours(
  options: NeighbourOptions & { folder?: BlockFolder | undefined },
): Promise<{ neighbours: FlatLists; neighbourCosines: FlatLists }> {
  const { latents, folder } = options;
  const { blocks, perLatent, dispose } = neighbourBlocks(options);
  try {
    const found: Found[] = [];
    for (const block of blocks) found.push(await takeBlock(folder, block));
    const offsets = Uint32Array.from({ length: latents + 1 }, (_, latent) => latent * perLatent);
    const indices = joined(
      found.map((one) => one.indices),
      new Int32Array(latents * perLatent),
    );
    const cosines = joined(
      found.map((one) => one.cosines),
      new Float32Array(latents * perLatent),
    );
    return { neighbours: { values: indices, offsets }, neighbourCosines: { values: cosines, offsets } };
  } finally {
    dispose();
  }
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
