/** The fused kernels for what fires kept as a matrix (kernels/dense.ts). */
import type { DictionaryTensors, Firings, GradientRequest } from '../../ops/fusedKernels.ts';
import type { DenseEntries } from '../../ops/sparseEntries.ts';
import { tf, type Tensor, type Tensor1D, type Tensor2D } from '../../tensor/tf.ts';
import type { DeviceBackend } from './deviceBackend.ts';
import {
  denseActivations, denseActivationsGroups, denseFirings, denseGradients, denseGroups, densePenalty, densePenaltyGroups,
} from './kernels/dense.ts'; // prettier-ignore
import { densePenaltyOfBlocks } from './kernels/rowSize.ts';
import { joinColumns, joinGroups } from './kernels/sums.ts';
import type { Programs } from './programs.ts';

/** Whether `denseGradients` computes them: those of one dense term. Gates, nested reconstructions and AuxK stay with plain operations. */
export const isOneDenseTerm = ({ main, auxiliary, gate }: GradientRequest) =>
  main.entries.kind === 'dense' && !auxiliary && !gate && !main.prefixes;

interface Device {
  readonly backend: DeviceBackend;
  readonly programs: Programs;
}

/** f [rows, latents]; the caller disposes it. */
export function activationsOf(
  { backend, programs }: Device,
  { values, rows, latents }: DenseEntries,
  threshold: Tensor1D | null,
): Tensor2D {
  const f = backend.scratch([rows, latents], 'float32') as Tensor2D;
  const program = denseActivations({ rows, latents, threshold: threshold !== null });
  const operands = [values, ...(threshold ? [threshold] : []), f];
  programs.run(program, operands, denseActivationsGroups(rows, latents));
  return f;
}

export function firingsOfMatrix(device: Device, entries: DenseEntries, threshold: Tensor1D | null): Firings {
  const { values, rows, latents } = entries;
  return tf.tidy(() => {
    const [columns, blocks] = denseGroups(rows, latents);
    const parts = device.backend.scratch([2, blocks, latents], 'float32');
    const program = denseFirings({ rows, latents, threshold: threshold !== null });
    device.programs.run(program, [values, ...(threshold ? [threshold] : []), parts], [columns, blocks]);
    const sums = joined(device, parts);
    return { counts: partOf(sums, 0).cast<Tensor1D>('int32'), sums: partOf(sums, 1) };
  });
}

/**
 * The gradients of one dense term. `table` is DictionaryUpdate's; `bDec` computes ∂b_dec from the sums, which begin with ∂b_enc.
 */
export function matrixGradients(
  device: Device,
  { x, parameters, subtractsDecoderBias, main, l1, jump, blocks: ofRow }: GradientRequest,
  table: Tensor,
  bDec: (sums: Tensor) => Tensor1D,
): DictionaryTensors {
  const { backend, programs } = device;
  const [rows] = x.shape;
  const [, outputs] = main.error.shape;
  const { latents } = main.entries;
  if (main.entries.kind !== 'dense')
    throw new TypeError('Only a matrix of pre-activations has these gradients.');
  const { values } = main.entries;
  const gradients = tf.tidy(() => {
    const f = backend.scratch([rows, latents], 'float32') as Tensor2D;
    const gradZ = backend.scratch([rows, latents], 'float32') as Tensor2D;
    const [columns, blocks] = denseGroups(rows, latents);
    const parts = backend.scratch([3, blocks, latents], 'float32');
    const program = denseGradients({ rows, latents, l1, bandwidth: jump?.bandwidth ?? null });
    programs.run(program, [values, main.dots, table, f, gradZ, parts], [columns, blocks]);
    const sums = joined(device, parts);
    const wDec = tf.matMul<Tensor2D>(f, main.error, true, false);
    f.dispose();
    const [penalty, groups] =
      ofRow && l1 !== 0
        ? [densePenaltyOfBlocks({ latents, blocks: ofRow, l1 }), latents]
        : [densePenalty({ latents, d: outputs, l1 }), densePenaltyGroups(latents, outputs)];
    programs.run(penalty, [parameters.wDec, table, sums, wDec], groups);
    const centred = subtractsDecoderBias ? x.sub<Tensor2D>(parameters.bDec) : x;
    return {
      wEnc: tf.matMul<Tensor2D>(gradZ, centred, true, false),
      bEnc: partOf(sums, 0),
      wDec,
      bDec: bDec(sums),
      ...(jump && { logThreshold: partOf(sums, 1) }),
    };
  });
  return { logThreshold: null, ...gradients };
}

/** [parts, latents]: Σ over the blocks of [parts, blocks, latents]. */
function joined({ backend, programs }: Device, parts: Tensor): Tensor2D {
  const [count, blocks, d] = parts.shape;
  const out = backend.scratch([count, d], 'float32') as Tensor2D;
  programs.run(joinColumns({ d, blocks, factor: 1 }), [parts, out], [joinGroups({ d, blocks }), count]);
  return out;
}

const partOf = (sums: Tensor2D, part: number): Tensor1D =>
  tf.slice(sums, [part, 0], [1, sums.shape[1]]).reshape<Tensor1D>([sums.shape[1]]);
