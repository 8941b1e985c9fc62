/**
 * The fused kernels of sae/ops on the webgpu backend. All results stay on the device: numbers are tensors of one element, and
 * only `readBack` transfers results to the host. `thresholdEncode` also waits for the device when it is given no expected
 * count, because it has to know how much memory a list takes and whether a list is faster.
 *
 * Every sum has a fixed order, so that the same device gives the same bits on every run.
 */
import type { Batch, Encoder, FusedKernels } from '../../ops/fusedKernels.ts';
import type { SparseEntries } from '../../ops/sparseEntries.ts';
import { tf, type Tensor, type Tensor1D, type Tensor2D } from '../../tensor/tf.ts';
import { batchTopK } from './batchTopK.ts';
import { activationsOf, firingsOfMatrix } from './denseEntries.ts';
import type { DeviceBackend } from './deviceBackend.ts';
import { inFull, type Stored } from './halfCopies.ts';
import { fillList, firingsOf } from './kernels/byLatent.ts';
import { rowUpdate } from './kernels/rowUpdate.ts';
import { topKSelect } from './kernels/select.ts';
import { decode, dots } from './kernels/sparse.ts';
import { bitsOf, startsOf } from './latentBits.ts';
import type { Products } from './matMul.ts';
import { reconstructNested } from './nested.ts';
import type { Programs } from './programs.ts';
import { type RowBlock, rowBlocks } from './rowBlocks.ts';
import { rowStores } from './rowStores.ts';
import { streamTopK, topKChunk } from './streamedTopK.ts';
import { DeviceSums } from './deviceSums.ts';
import { DictionaryUpdate } from './dictionaryUpdate.ts';
import type { PathChoice } from '../entriesForm.ts';
import { scaledBy } from './scalars.ts';
import { ThresholdSelect } from './thresholdSelect.ts';

/** Most bytes of pre-activations in memory at once; batches are processed in blocks of rows that fit. */
const selectionBytes = 2 ** 28;

/** Where they are left out, the device's limits and the sizes decide. The first two are for tests. */
export interface SelectionOptions {
  /** Most bytes of pre-activations in a block of rows. */
  readonly blockBytes?: number;
  /** Number of latents in a chunk of streamTopK; null if top-k must not be streamed. */
  readonly topKChunk?: number | null;
  /** How encoders with thresholds keep what fires; may be changed between steps. */
  readonly choice?: PathChoice;
}

export function webgpuFusedKernels(
  backend: DeviceBackend,
  programs: Programs,
  products: Products,
  { blockBytes = selectionBytes, topKChunk: forcedChunk, choice = { path: 'auto' } }: SelectionOptions = {},
): FusedKernels {
  const sums = new DeviceSums(backend, programs);
  const { copies } = products;
  const update = new DictionaryUpdate(backend, programs, sums, copies);
  const floats = <T extends Tensor>(...shape: number[]) => backend.scratch(shape, 'float32') as T;
  const integers = <T extends Tensor>(...shape: number[]) => backend.scratch(shape, 'int32') as T;

  const device = { backend, programs };
  const mostBytes = () => Math.min(blockBytes, backend.bufferManager.largest);

  /** Calls `visit` with the pre-activations z of each block of rows that fits a binding, in order. The visitor disposes z. */
  function eachBlock(x: Tensor2D, encoder: Encoder, visit: (z: Tensor2D, block: RowBlock) => void): void {
    const size = Math.max(1, Math.floor(mostBytes() / (4 * encoder.wEnc.shape[0])));
    for (const block of rowBlocks(x.shape[0], size)) visit(products.preActivations(x, encoder, block), block);
  }
  const thresholds = new ThresholdSelect(backend, programs, eachBlock, choice);
  const chunkOf = (rows: number, candidates: number, k: number) => {
    if (forcedChunk === undefined) return topKChunk(rows, candidates, k);
    return forcedChunk !== null && forcedChunk < candidates && k <= forcedChunk ? forcedChunk : null;
  };
  const noneListed = (entries: SparseEntries) => entries.indices.shape[0] === 0;

  return {
    backend: 'webgpu',

    scaledBatch: (values, d, scale) => scaled(tf.tensor2d(values, [values.length / d, d]), scale),
    rowStores: rowStores(device, scaled),

    // The values are copied before `scaledBatch` returns.
    batchMemory: (length) => new Float32Array(length),

    varianceAboutMean: (x) => sums.varianceAboutMean(x),

    topKEncode(x, encoder, k, among) {
      const [rows] = x.shape;
      const [latents] = encoder.wEnc.shape;
      const candidates = among?.length ?? latents;
      const made = tf.tidy(() => {
        const chosen = among ? tf.tensor1d(among, 'int32') : null;
        const from = chosen
          ? { ...encoder, wEnc: tf.gather(encoder.wEnc, chosen), bEnc: tf.gather(encoder.bEnc, chosen) }
          : encoder;
        const rowStart = integers<Tensor1D>(rows + 1);
        const indices = integers<Tensor1D>(rows * k);
        const values = floats<Tensor1D>(rows * k);
        const chunk = chunkOf(rows, candidates, k);
        if (chunk !== null) {
          const request = { x, encoder: from, k, names: chosen, chosen: { rowStart, indices, values } };
          streamTopK({ backend, programs, products }, request, { chunk, bytes: mostBytes() });
          return { rowStart, indices, values };
        }
        eachBlock(x, from, (z, block) => {
          const program = topKSelect({ ...block, candidates, k, among: chosen !== null });
          programs.run(program, [z, ...(chosen ? [chosen] : []), rowStart, indices, values], block.rows);
          z.dispose();
        });
        return { rowStart, indices, values };
      });
      return { kind: 'sparse', rows, latents, ...made };
    },

    batchTopKEncode: (x, encoder, selection) =>
      batchTopK({ backend, programs, eachBlock }, x, encoder, selection),
    thresholdEncode: (x, encoder, selection) => thresholds.encode(x, encoder, selection),

    sparseDecode(entries, w) {
      const { rows, rowStart, indices, values } = entries;
      const d = w.shape[1];
      if (noneListed(entries)) return tf.zeros([rows, d]);
      const out = floats<Tensor2D>(rows, d);
      programs.run(
        decode({ rows, d, storage: 'f32', reconstruct: null }),
        [rowStart, indices, values, w, out],
        rows,
      );
      return out;
    },

    sparseDots: (pattern, g, w) => sparseDots(pattern, g, inFull(w)),

    sparseOuter(entries, g) {
      const { rows, latents, rowStart, indices, values } = entries;
      const d = g.shape[1];
      if (noneListed(entries)) return tf.zeros([latents, d]);
      return tf.tidy(() => {
        const words = Math.ceil(rows / 32);
        const bits = bitsOf(device, latents, words, [entries]);
        const start = startsOf(device, bits, latents, words);
        const list = integers(indices.shape[0], 4);
        const term = { latents, words, firstWord: 0, endWord: words, l1: 0, bandwidth: null };
        programs.run(
          fillList({ ...term, kind: 'outer' }),
          [bits, start, rowStart, indices, values, list],
          latents,
        );
        const out = floats<Tensor2D>(latents, d);
        const source = { kind: 'decoder', errors: 'one', l1: 0 } as const;
        const program = rowUpdate({ latents, d, secondRows: words * 32 }, source, { kind: 'gradient' });
        programs.run(program, [start, list, g, out], latents);
        return out;
      });
    },

    firings(entries, threshold) {
      const { rows, latents } = entries;
      if (entries.kind === 'dense') return firingsOfMatrix({ backend, programs }, entries, threshold);
      const { rowStart, indices, values } = entries;
      if (noneListed(entries))
        return { counts: tf.zeros([latents], 'int32') as Tensor1D, sums: tf.zeros([latents]) as Tensor1D };
      return tf.tidy(() => {
        const words = Math.ceil(rows / 32);
        const bits = bitsOf(device, latents, words, [entries]);
        const counts = integers<Tensor1D>(latents);
        const sums = floats<Tensor1D>(latents);
        const program = firingsOf({ latents, words, threshold: threshold !== null });
        programs.run(
          program,
          [bits, rowStart, indices, values, counts, sums, ...(threshold ? [threshold] : [])],
          latents,
        );
        return { counts, sums };
      });
    },

    reconstruct(entries, threshold, { wDec, bias }, target) {
      const [rows, d] = target.shape;
      if (entries.kind === 'dense')
        return tf.tidy(() => {
          const decoded = tf.matMul(activationsOf({ backend, programs }, entries, threshold), wDec);
          const error = (bias ? decoded.add<Tensor2D>(bias) : decoded).sub<Tensor2D>(target);
          const dots = tf.matMul<Tensor2D>(error, wDec, false, true);
          return { error, dots, squaredError: sums.squares(error) };
        });
      const { rowStart, indices, values, latents } = entries;
      return tf.tidy(() => {
        const w = copies.stored(wDec);
        const error = floats<Tensor2D>(rows, d);
        const squares = floats<Tensor1D>(rows);
        // Thresholds and bias share a binding, because not every GPU allows more than eight bindings.
        const vectors = threshold && bias ? tf.concat([threshold, bias]) : (threshold ?? bias);
        const at = { threshold: threshold ? 0 : null, bias: bias ? (threshold ? latents : 0) : null };
        programs.run(
          decode({ rows, d, storage: w.storage, reconstruct: at }),
          [rowStart, indices, values, w.tensor, error, target, squares, ...(vectors ? [vectors] : [])],
          rows,
        );
        return { error, dots: sparseDots(entries, error, w), squaredError: sums.total(squares) };
      });
    },

    reconstructNested: (entries, prefixes, decoder, target) =>
      reconstructNested({ backend, programs, sums, copies }, entries, prefixes, decoder, target),
    gradients: (request) => update.gradients(request),
    update(request, moments, adam) {
      update.apply(request, moments, adam);
      // The device is at it while the host reads the next batch.
      backend.flush();
    },
    updateSkip(request, gradient, moments, adam) {
      update.applySkip(request, gradient, moments, adam);
      backend.flush();
    },
    readBack: (tensors) => backend.readTogether(tensors),
    timed: (run) => backend.timed(run),
    hostTimes: () => backend.hostTimes(),
  } satisfies FusedKernels;

  /** The batch of raw rows, which are disposed. */
  function scaled(raw: Tensor2D, scale: number): Batch {
    backend.stayOnDevice();
    const x = scaledBy(device, raw, scale);
    raw.dispose();
    const variance = sums.varianceAboutMean(x);
    backend.flush();
    return { x, variance };
  }

  function sparseDots({ rows, rowStart, indices }: SparseEntries, g: Tensor2D, w: Stored): Tensor1D {
    const out = floats<Tensor1D>(indices.shape[0]);
    if (indices.shape[0] > 0)
      programs.run(
        dots({ rows, d: w.shape[1], storage: w.storage }),
        [rowStart, indices, g, w.tensor, out],
        rows,
      );
    return out;
  }
}
