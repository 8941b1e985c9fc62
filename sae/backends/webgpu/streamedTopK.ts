/**
 * `topKEncode` without the matrix of pre-activations: latents are processed chunk by chunk, and only the first chunk's
 * pre-activations are written to memory (kernels/candidates.ts). The result is exact: its bits are those of top-k of the whole matrix.
 *
 * The reason is memory traffic. Top-k of the whole matrix writes 4 bytes for each row and latent and reads them four times, beside 2·d
 * operations. When streamed, it does so for the first chunk only. Of a latent that follows n others, k/n of the rows' pre-activations
 * are expected to be among the k best, so a row has k·ln(latents / chunk) candidates in all, of 8 bytes each. At 4,096 rows,
 * 24,576 latents and k = 32 that makes 0.2 GB of traffic where it was 2.0, by count; on a GPU it has not been measured.
 * On lavapipe, a software driver, choosing from 16,384 latents (1,024 rows, k = 32) takes 0.2 to 0.3 s instead of 0.65.
 */
import type { Encoder } from '../../ops/fusedKernels.ts';
import type { Tensor, Tensor1D, Tensor2D } from '../../tensor/tf.ts';
import type { DeviceBackend } from './deviceBackend.ts';
import { beginTopK, endTopK, listCandidates, mergeTopK } from './kernels/candidates.ts';
import { topKSelect } from './kernels/select.ts';
import type { Products } from './matMul.ts';
import type { Program, Programs } from './programs.ts';
import { rowBlocks } from './rowBlocks.ts';

/** Fewest pre-activations that one product computes: a thousand workgroups, about what the largest GPUs run at once. */
const chunkResults = 2 ** 22;
const [narrowest, widest] = [2048, 8192];

/**
 * How many latents a chunk has for this batch; null where the whole matrix is faster: fewer than four chunks
 * would save little, and for k above a quarter of a chunk each merge costs as much as storing the chunk's pre-activations.
 */
export function topKChunk(rows: number, candidates: number, k: number): number | null {
  const wanted = 2 ** Math.ceil(Math.log2(chunkResults / Math.max(1, rows)));
  const chunk = Math.min(widest, Math.max(narrowest, wanted));
  return candidates >= 4 * chunk && k <= chunk / 4 ? chunk : null;
}

export interface TopKRequest {
  readonly x: Tensor2D; // [rows, d]
  /** The encoder, with the rows of the latents to choose from. */
  readonly encoder: Encoder;
  readonly k: number;
  /** [candidates]: the numbers of these latents; null if they are their rows in the encoder. */
  readonly names: Tensor1D | null;
  /** Tensors for the result: rowStart [rows + 1], indices and values [rows·k]. */
  readonly chosen: { rowStart: Tensor; indices: Tensor; values: Tensor };
}

/**
 * Chooses the top k of each row into `chosen`. `chunk` is the number of latents in a chunk, at least k and fewer than all; `bytes` is the memory
 * for a block of rows. Intermediate tensors belong to the surrounding tidy.
 */
export function streamTopK(
  { backend, programs, products }: { backend: DeviceBackend; programs: Programs; products: Products },
  { x, encoder, k, names, chosen: { rowStart, indices, values } }: TopKRequest,
  { chunk, bytes }: { chunk: number; bytes: number },
): void {
  const [latents] = encoder.wEnc.shape;
  const size = Math.min(x.shape[0], Math.max(1, Math.floor(bytes / (8 * chunk))));
  const integers = (...shape: number[]) => backend.scratch(shape, 'int32');
  // This memory first holds the first chunk's pre-activations, and then the candidates of each later chunk.
  const z = integers(size, chunk, 2);
  const [bounds, counts] = [integers(size), integers(size)];
  let [best, better] = [integers(size, k, 2), integers(size, k, 2)];
  for (const rows of rowBlocks(x.shape[0], size)) {
    const block = { ...rows, k };
    const stored = products.encoderOperands(x, encoder, rows);
    const run = (program: Program, ...tensors: Tensor[]) => programs.run(program, tensors, rows.rows);
    products.encode(stored, { first: 0, count: chunk }, [z]);
    run(topKSelect({ ...block, candidates: chunk, among: false }), z, rowStart, indices, values);
    run(beginTopK(block), indices, values, best, bounds, counts);
    for (let first = chunk; first < latents; first += chunk) {
      const columns = { first, count: Math.min(chunk, latents - first) };
      products.encode(stored, columns, [bounds, counts, z], listCandidates(chunk, first));
      run(mergeTopK(block, chunk), best, z, better, bounds, counts);
      [best, better] = [better, best];
    }
    run(endTopK(block, names !== null), best, ...(names ? [names] : []), indices, values);
  }
}
