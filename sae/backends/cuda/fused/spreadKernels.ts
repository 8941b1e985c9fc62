/**
 * Fused kernels for a dictionary whose latents are spread over the devices of several processes (docs/SCALE.md): those of one device for its share, and
 * between them what the devices send each other. No step waits for the host but where those of one device would.
 *
 * A step of TopK sends every other device up to B · k candidates, two slices of the reconstruction (2 · B · d / ranks numbers each), the share's firing counts
 * and sums, b_dec's gradient, and where gradients are clipped one number.
 */
import { LazyscopeError } from '../../../errors.ts';
import { latentShares } from '../../../ops/latentShares.ts';
import type { FusedKernels, ThresholdSelection } from '../../../ops/fusedKernels.ts';
import type { Entries } from '../../../ops/sparseEntries.ts';
import { disposeComputed } from '../../../ops/computed.ts';
import type { Scalar, Tensor1D } from '../../../tensor/tf.ts';
import type { DeviceBuffer } from '../deviceMemory.ts';
import type { Programs } from '../programs.ts';
import { CudaStepRecorder } from '../stepRecorder.ts';
import { Auxiliary, type AuxiliaryOptions } from './auxiliary.ts';
import { AuxiliaryAcross } from './auxiliaryAcross.ts';
import { batchTopK, type BatchTopKParts } from './batchTopK.ts';
import { type Collectives, spreadFile, spreadThreads } from './collectives.ts';
import type { DeviceSums } from './deviceSums.ts';
import { DictionaryUpdate } from './dictionaryUpdate.ts';
import type { Reconstructions } from './reconstruct.ts';
import { ReconstructionsAcross } from './reconstructAcross.ts';
import { UpdateAcross } from './updateAcross.ts';
import { SpreadTopK } from './spreadTopK.ts';

/** What the kernels of one device are made of. */
export interface SpreadParts extends BatchTopKParts, AuxiliaryOptions {
  readonly sums: DeviceSums;
  readonly reconstructions: Reconstructions;
}

type OfDevice = FusedKernels &
  Required<Pick<FusedKernels, 'on' | 'batchMemory' | 'giveBatchMemory' | 'readBack' | 'timed'>>;

/** `own` are the kernels of this device. */
export function spreadKernels(
  own: OfDevice,
  parts: SpreadParts,
  collectives: Collectives,
  width: number,
): FusedKernels {
  const { programs, sums, byLatent, copies, reconstructions } = parts;
  const { backend } = programs;
  const { rank, size } = collectives;
  const shares = latentShares(width, size);
  const share = shares[rank];
  const widest = Math.max(...shares.map(({ begin, end }) => end - begin));
  const across = new ReconstructionsAcross(programs, sums, reconstructions, collectives);
  const topK = new SpreadTopK({ programs, byLatent, collectives, own });
  const dead = new AuxiliaryAcross({ shares, rank }, topK, across);
  const auxiliary = new Auxiliary(programs, sums, reconstructions, parts, dead);
  const updates = new UpdateAcross(programs, sums, collectives);
  const update = new DictionaryUpdate(programs, sums, byLatent, copies, updates);
  const during: Programs['during'] = (phase, run) => backend.programs.during(phase, run);
  const { backend: name, scaledBatch, varianceAboutMean, sparseDots, sparseOuter } = own;
  const { on, batchMemory, giveBatchMemory, readBack, timed } = own;

  /** Vectors of all latents from each device's part of them. */
  function ofAll(vectors: readonly DeviceBuffer[], outs: readonly DeviceBuffer[]): void {
    const count = vectors.length;
    programs.scratch(4 * count * widest, (mine) =>
      programs.scratch(4 * count * widest * size, (all) => {
        const bytes = 4 * (share.end - share.begin);
        vectors.forEach((vector, i) => backend.copy(vector, mine, bytes, 0, 4 * i * widest));
        collectives.allGather(mine, all, count * widest);
        outs.forEach(
          (out, i) =>
          programs.run(spreadFile, 'joinShares', [Math.ceil(width / spreadThreads), spreadThreads], [
            all, count * widest, i * widest, out, width, size,
          ]), // prettier-ignore
        );
      }),
    );
  }

  /** The entries with a count that says for all devices whether theirs have the right form: those of one must not be updated alone. */
  function agreed(entries: Entries): Entries {
    const { count = 0, least = 0, most = 0 } = entries.listed ?? {};
    const [pointer, value] = programs.number(count);
    const agreedCount = programs.output<Scalar>([], 'int32');
    programs.scratch(4, (fits) =>
      programs.scratch(4 * size, (all) => {
        programs.run(spreadFile, 'fitsForm', [1, 1], [pointer, least, most, fits]);
        collectives.allGather(fits, all, 1);
        programs.run(spreadFile, 'agreeOnForm', [1, 1], [all, size, pointer, value, agreedCount.buffer]);
      }),
    );
    disposeComputed(count);
    return { ...entries, listed: { count: agreedCount.tensor, least, most } };
  }

  return {
    backend: name,
    on,
    scaledBatch,
    batchMemory,
    giveBatchMemory,
    varianceAboutMean,
    sparseDots,
    sparseOuter,
    async readBack(tensors) {
      const values = await readBack(tensors);
      topK.hasRead(tensors, values);
      return values;
    },
    timed,
    stepRecorder: () =>
      new CudaStepRecorder(
        backend,
        () => byLatent.forget(),
        (choice) => dead.own(choice),
      ),

    ofAllLatents(vector) {
      const out = programs.output<Tensor1D>([width], 'float32');
      ofAll([backend.buffer(vector)], [out.buffer]);
      return out.tensor;
    },

    topKEncode(x, encoder, k, among) {
      if (among) throw new TypeError('Dead latents of several devices are chosen by `auxiliary`.');
      return during('encode', () => topK.encode(x, encoder, k));
    },
    batchTopKEncode: (x, encoder, selection) =>
      during('encode', () => {
        const choice = batchTopK({ ...parts, across: { collectives, widest } }, x, encoder, selection);
        // AuxK chooses afterwards.
        return { ...choice, entries: { ...choice.entries, listed: topK.begin() } };
      }),
    thresholdEncode(x, encoder, selection: ThresholdSelection) {
      const entries = own.thresholdEncode(x, encoder, selection);
      return selection.expected === undefined ? entries : agreed(entries);
    },

    sparseDecode: (entries, w) => across.decode(entries, w),

    firings(entries, threshold) {
      const { counts, sums: activations } = own.firings(entries, threshold);
      const all = {
        counts: programs.output<Tensor1D>([width], 'int32'),
        sums: programs.output<Tensor1D>([width], 'float32'),
      };
      const onDevice = [counts, activations].map((vector) => {
        if (ArrayBuffer.isView(vector)) throw new TypeError('Firings are on the device.');
        return backend.buffer(vector);
      });
      during('other', () => ofAll(onDevice, [all.counts.buffer, all.sums.buffer]));
      disposeComputed(counts, activations);
      return { counts: all.counts.tensor, sums: all.sums.tensor };
    },

    reconstruct: (entries, threshold, decoder, target) =>
      during('decode', () => across.reconstruct(entries, threshold, decoder, target)),
    reconstructNested() {
      throw new LazyscopeError(
        'bad_input',
        'Nested reconstructions are not spread over processes: leave --mpi out.',
      );
    },

    auxiliary: (x, dictionary, error, choice) =>
      during('decode', () => auxiliary.term(x, dictionary, error, choice)),
    gradients: (request) => during('gradients', () => update.gradients(request)),
    update: (request, moments, adam) => during('optimiser', () => update.apply(request, moments, adam)),
    updateSkip() {
      throw new LazyscopeError(
        'bad_input',
        'Skip connections are not spread over processes: leave --mpi out.',
      );
    },
  };
}
