/**
 * The fused kernels of sae/ops on the cuda backend. All results stay on the device: numbers are tensors of one element, and only
 * `readBack` transfers results to the host. `thresholdEncode` also waits for the device when it is given no expected count.
 *
 * Every sum has a fixed order, so that the same device gives the same bits on every run.
 */
import { firing, latentActivations } from '../../ops/denseActivations.ts';
import type { KernelName } from '../../ops/fusedKernel.ts';
import type { FusedKernels, KernelTime } from '../../ops/fusedKernels.ts';
import { tf, type Tensor1D } from '../../tensor/tf.ts';
import type { CudaBackend } from './cudaBackend.ts';
import { deviceRates } from './deviceRates.ts';
import { Auxiliary } from './fused/auxiliary.ts';
import { batchTopK } from './fused/batchTopK.ts';
import { DeviceSums } from './fused/deviceSums.ts';
import { DictionaryUpdate } from './fused/dictionaryUpdate.ts';
import { EncoderCopies } from './fused/encoderCopies.ts';
import { EntriesByLatent } from './fused/entriesByLatent.ts';
import { FusedPrograms } from './fused/fusedPrograms.ts';
import { Reconstructions } from './fused/reconstruct.ts';
import { openCollectives } from './fused/openCollectives.ts';
import { outer } from './fused/outer.ts';
import type { Screening } from './screening.ts';
import { hostBatches, rowStores } from './fused/rowStores.ts';
import { isScreened, screenedTopK } from './fused/screenedTopK.ts';
import { spreadKernels } from './fused/spreadKernels.ts';
import { topK } from './fused/topK.ts';
import { CudaStepRecorder } from './stepRecorder.ts';
import type { PathChoice } from '../entriesForm.ts';
import { ThresholdSelect } from './fused/thresholdSelect.ts';

/** Most bytes of pre-activations that topKEncode has in memory at once. */
const selectionBytes = 2 ** 30;

export interface FusedOptions {
  /** Most bytes of pre-activations in a block of rows. */
  readonly blockBytes?: number;
  /** How encoders with thresholds keep what fires; may be changed between steps. */
  readonly choice?: PathChoice;
  /** What the backend says when it is left out. */
  readonly screening?: Screening;
  /** Dead latents for each that AuxK keeps of a row, beyond which it lists entries; see fused/auxiliary.ts. */
  readonly placesAnEntry?: number;
  /** What TF.js calls the backend. */
  readonly name?: string;
}

export function cudaFusedKernels(
  backend: CudaBackend,
  {
    blockBytes = selectionBytes,
    choice = { path: 'auto' },
    screening: given,
    placesAnEntry,
    name = 'cuda',
  }: FusedOptions = {},
): FusedKernels {
  const programs = new FusedPrograms(backend);
  const sums = new DeviceSums(programs);
  const byLatent = new EntriesByLatent(programs);
  const copies = new EncoderCopies(programs);
  const reconstructions = new Reconstructions(programs, sums, copies);
  const screening = () => given ?? backend.screening;
  const options = { choice, screening, blockBytes };
  const thresholds = new ThresholdSelect(programs, byLatent, copies, options);
  const auxiliary = new Auxiliary(programs, sums, reconstructions, { blockBytes, placesAnEntry });
  const update = new DictionaryUpdate(programs, sums, byLatent, copies);
  registerQuotient(backend, sums, name);
  const during = <T>(phase: KernelTime['phase'], run: () => T): T => backend.programs.during(phase, run);

  const table = {
    backend: name,

    on(run) {
      const engine = tf.engine();
      if (engine.backendName === name) return run();
      // What TF.js's setBackend does, without its looking through all kernels of all backends, which would take longer than a step's launches.
      const before = { backendName: engine.backendName, backendInstance: tf.backend() };
      Object.assign(engine, { backendName: name, backendInstance: backend });
      try {
        return run();
      } finally {
        Object.assign(engine, before);
      }
    },

    scaledBatch(values, d, scale) {
      const raw = backend.transfers.uploaded(values);
      const { tensor, variance } = sums.scaled(raw, [values.length / d, d], scale);
      backend.give(raw);
      return { x: tensor, variance };
    },

    batchMemory: (length) => backend.transfers.pinnedFloats(length),
    giveBatchMemory: (values) => backend.transfers.givePinned(values),

    varianceAboutMean: (x) => sums.varianceAboutMean(x),

    topKEncode: (x, encoder, k, among) =>
      during('encode', () =>
        !among && isScreened(screening(), encoder.wEnc.shape[0], k)
          ? screenedTopK(programs, copies, x, encoder, k, blockBytes)
          : topK(programs, x, encoder, k, among, blockBytes),
      ),
    batchTopKEncode: (x, encoder, selection) =>
      during('encode', () => batchTopK({ programs, byLatent, copies, ...options }, x, encoder, selection)),
    thresholdEncode: (x, encoder, selection) =>
      during('encode', () => thresholds.encode(x, encoder, selection)),

    sparseDecode: (entries, w) => reconstructions.decode(entries, w),
    sparseDots: (pattern, g, w) => reconstructions.dots(pattern, g, w),
    sparseOuter: (entries, g) => outer(programs, byLatent, entries, g),

    firings(entries, threshold) {
      if (entries.kind === 'sparse') return during('other', () => byLatent.firings(entries, threshold));
      return tf.tidy(() => ({
        counts: tf.sum<Tensor1D>(firing(entries.values, threshold).cast('int32'), 0),
        sums: tf.sum<Tensor1D>(latentActivations(entries.values, threshold), 0),
      }));
    },

    reconstruct: (entries, threshold, decoder, target) =>
      during('decode', () => reconstructions.reconstruct(entries, threshold, decoder, target)),
    reconstructNested: (entries, prefixes, decoder, target) =>
      during('decode', () => reconstructions.nested(entries, prefixes, decoder, target)),

    auxiliary: (x, dictionary, error, among) =>
      during('decode', () => auxiliary.term(x, dictionary, error, among)),
    gradients: (request) => during('gradients', () => update.gradients(request)),
    update: (request, moments, adam) => during('optimiser', () => update.apply(request, moments, adam)),
    updateSkip: (request, gradient, moments, adam) =>
      during('optimiser', () => update.applySkip(request, gradient, moments, adam)),
    readBack: (tensors) => backend.readTogether(tensors),
    rowStores: rowStores(programs, sums),
    hostBatch: hostBatches(programs, sums),
    stepRecorder: () => new CudaStepRecorder(backend, () => byLatent.forget()),
    timed: (run) => backend.timed(run),
    rates: (shape) => deviceRates(backend, shape),
  } satisfies FusedKernels;
  const parts = { programs, sums, byLatent, copies, reconstructions, screening, blockBytes, placesAnEntry };
  return {
    ...table,
    spread: (processes, width) => ({
      ...spreadKernels(table, parts, openCollectives(programs, processes), width),
      // Each process gathers its own batches, which are the same.
      rowStores: table.rowStores,
      hostBatch: table.hostBatch,
    }),
  };
}

/** The kernel behind `over` of sae/autoencoders/auxK.ts, which otherwise takes four. */
function registerQuotient(backend: CudaBackend, sums: DeviceSums, backendName: string): void {
  const kernelName = 'QuotientOrZero' satisfies KernelName;
  if (tf.getKernel(kernelName, backendName)) tf.unregisterKernel(kernelName, backendName);
  tf.registerKernel({
    kernelName,
    backendName,
    kernelFunc: ({ inputs, attrs }) => {
      const { denominator } = inputs;
      if (!denominator) throw new TypeError(`${kernelName} needs a denominator.`);
      return sums.quotientOrZero(Number(attrs?.['numerator']), backend.buffer(denominator));
    },
  });
}
