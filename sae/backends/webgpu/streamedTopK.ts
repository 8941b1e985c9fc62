/**
 * `topKEncode` without the matrix of pre-activations: chunk after chunk of the latents, of which only the first one's exist
 * in memory (kernels/candidates.ts). Nothing is approximate, and the bits are those of a choice from the whole matrix.
 *
 * Why: choosing from the matrix writes 4 bytes for each row and latent and reads them four times (five, of few latents); the
 * product spends 2·d operations on them. Streamed, this is true of the first chunk alone. After n latents, 1/n of the
 * next one's pre-activations is expected among each row's k best for each of the k, so k·ln(latents / chunk) more become
 * candidates, 8 bytes each. At 4,096 rows, 24,576 latents and k = 32 that is 2.0 GB of traffic against some 0.2.
 *
 * Not measured on a GPU. The software drivers, whose memory is the processor's cache, see no difference beyond
 * what a run varies by; see docs of `topKChunk`.
 */
import type { Encoder } from '../../ops/fusedKernels.ts';
import type { Tensor, Tensor1D, Tensor2D } from '../../tensor/tf.ts';
import type { DeviceBackend } from './deviceBackend.ts';
import { listCandidates, mergeTopK, widestChunk } from './kernels/candidates.ts';
import { topKSelect } from './kernels/select.ts';
import type { Products } from './matMul.ts';
import type { Programs } from './programs.ts';
import { eachRowBlock } from './rowBlocks.ts';

/** Pre-activations that one product makes, at least: a thousand workgroups of it, what the largest GPUs run at once. */
const chunkResults = 2 ** 22;
const narrowestChunk = 2048;

/**
 * How many latents a chunk has for this batch; null where the whole matrix is the better way: fewer than four chunks
 * would save little, and for a k above a quarter of a chunk each merge costs what the chunk's pre-activations would.
 */
export function topKChunk(rows: number, candidates: number, k: number): number | null {
  const wanted = 2 ** Math.ceil(Math.log2(chunkResults / Math.max(1, rows)));
  const chunk = Math.min(widestChunk, Math.max(narrowestChunk, wanted));
  return candidates >= 4 * chunk && k <= chunk / 4 ? chunk : null;
}

export interface TopKRequest {
  readonly x: Tensor2D; // [rows, d]
  /** Of the latents to choose from. */
  readonly encoder: Encoder;
  readonly k: number;
  /** What these latents are called; null: by their rows in the encoder. */
  readonly names: Tensor1D | null;
  /** Where the choice goes: rowStart [rows + 1], indices and values [rows·k]. */
  readonly chosen: { rowStart: Tensor; indices: Tensor; values: Tensor };
}

/**
 * `chunk`: latents, a multiple of 32 up to 2,048, or 4,096 or 8,192; at least k, fewer than there are. `bytes`: for a block of rows. A
 * scope around owns what is made.
 */
export function streamTopK(
  { backend, programs, products }: { backend: DeviceBackend; programs: Programs; products: Products },
  { x, encoder, k, names, chosen: { rowStart, indices, values } }: TopKRequest,
  { chunk, bytes }: { chunk: number; bytes: number },
): void {
  const [latents] = encoder.wEnc.shape;
  const size = Math.min(x.shape[0], Math.max(1, Math.floor(bytes / (8 * chunk))));
  const operands = products.encoderOperands(encoder);
  const optional = names ? [names] : [];
  const bounds = backend.scratch([size], 'int32');
  const counts = backend.scratch([size], 'int32');
  // The first chunk's pre-activations, then the candidates of one chunk after another.
  const z = backend.scratch([size, chunk, 2], 'int32');
  backend.clear(counts);
  eachRowBlock(x, size, (part, block) => {
    const stored = operands(part);
    products.encode(stored, { first: 0, count: chunk }, [z]);
    const first = topKSelect({ ...block, candidates: chunk, k, among: names !== null, bounds: true });
    programs.run(first, [z, ...optional, rowStart, indices, values, bounds], block.rows);
    for (let firstColumn = chunk; firstColumn < latents; firstColumn += chunk) {
      const columns = { first: firstColumn, count: Math.min(chunk, latents - firstColumn) };
      products.encode(stored, columns, [bounds, counts, z], listCandidates(chunk));
      const merge = mergeTopK({ ...block, k, chunk, firstColumn, among: names !== null });
      programs.run(merge, [z, counts, bounds, ...optional, indices, values], block.rows);
    }
  });
}
