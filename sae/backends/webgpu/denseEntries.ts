/** The fused kernels for what fires kept as a matrix (kernels/dense.ts). */
import type { DictionaryTensors, Firings, GradientRequest } from '../../ops/fusedKernels.ts';
import type { DenseEntries, Entries } from '../../ops/sparseEntries.ts';
import { tf, type Tensor, type Tensor1D, type Tensor2D } from '../../tensor/tf.ts';
import type { DeviceBackend } from './deviceBackend.ts';
import {
  denseActivations, denseActivationsGroups, denseFirings, denseGradients, denseGroups, densePenalty, densePenaltyGroups,
} from './kernels/dense.ts'; // prettier-ignore
import { gateOfMatrix, gateVectors } from './kernels/gated.ts';
import { densePenaltyOfBlocks } from './kernels/rowSize.ts';
import { joinColumns, joinGroups } from './kernels/sums.ts';
import type { Programs } from './programs.ts';

/** Whether `matrixGradients` computes them: those of one dense term, which may have a gate. No architecture has others. */
export const isOneDenseTerm = ({ main, auxiliary }: GradientRequest) =>
  main.entries.kind === 'dense' && !auxiliary && !main.prefixes;

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

/** What `matrixGradients` makes of all pre-activations. */
interface OfMatrix {
  /** The activations [rows, latents]. */
  readonly f: Tensor2D;
  /** What reaches W_enc [rows, latents], and its sums [latents]. */
  readonly gradZ: Tensor2D;
  readonly slopes: Tensor1D;
  /** Of vectors besides b_dec. */
  readonly vectors: { readonly bEnc: Tensor1D } & Readonly<Record<string, Tensor1D>>;
  /** [3, latents]: the last are Σ f; null where no penalty needs them. */
  readonly sums: Tensor2D | null;
}

/**
 * The gradients of one dense term. `table` is DictionaryUpdate's; `bDec` computes ∂b_dec from the sums of what reaches W_enc.
 */
export function matrixGradients(
  device: Device,
  request: GradientRequest,
  table: Tensor,
  bDec: (slopes: Tensor) => Tensor1D,
): DictionaryTensors {
  const { x, parameters, subtractsDecoderBias, main, l1, blocks: ofRow, gate } = request;
  const { programs } = device;
  const [, outputs] = main.error.shape;
  const { latents } = main.entries;
  const gradients = tf.tidy(() => {
    const { f, gradZ, slopes, vectors, sums } = (gate ? withGate : withoutGate)(device, request, table);
    const wDec = tf.matMul<Tensor2D>(f, main.error, true, false);
    f.dispose();
    const [penalty, groups] =
      ofRow && l1 !== 0
        ? [densePenaltyOfBlocks({ latents, blocks: ofRow, l1 }), latents]
        : [densePenalty({ latents, d: outputs, l1 }), densePenaltyGroups(latents, outputs)];
    programs.run(penalty, [parameters.wDec, table, sums ?? slopes, wDec], groups);
    const centred = subtractsDecoderBias ? x.sub<Tensor2D>(parameters.bDec) : x;
    return {
      wEnc: tf.matMul<Tensor2D>(gradZ, centred, true, false),
      wDec,
      bDec: bDec(slopes),
      ...vectors,
    };
  });
  return { logThreshold: null, ...gradients };
}

function withoutGate(device: Device, { main, l1, jump }: GradientRequest, table: Tensor): OfMatrix {
  const { backend, programs } = device;
  const { values, rows, latents } = matrixOf(main.entries);
  const f = backend.scratch([rows, latents], 'float32') as Tensor2D;
  const gradZ = backend.scratch([rows, latents], 'float32') as Tensor2D;
  const [columns, blocks] = denseGroups(rows, latents);
  const parts = backend.scratch([3, blocks, latents], 'float32');
  const program = denseGradients({ rows, latents, l1, bandwidth: jump?.bandwidth ?? null });
  programs.run(program, [values, main.dots, table, f, gradZ, parts], [columns, blocks]);
  const sums = joined(device, parts);
  const bEnc = partOf(sums, 0);
  return { f, gradZ, slopes: bEnc, vectors: { bEnc, ...(jump && { logThreshold: partOf(sums, 1) }) }, sums };
}

function withGate(device: Device, { main, gate }: GradientRequest, table: Tensor): OfMatrix {
  const { backend, programs } = device;
  const { values, rows, latents } = matrixOf(main.entries);
  if (!gate) throw new TypeError('There is no gate.');
  const f = backend.scratch([rows, latents], 'float32') as Tensor2D;
  const gradZ = backend.scratch([rows, latents], 'float32') as Tensor2D;
  const [columns, blocks] = denseGroups(rows, latents);
  const parts = backend.scratch([gateVectors.length + 1, blocks, latents], 'float32');
  const of = [values, main.dots, matrixOf(gate.entries).values, gate.dots, table];
  programs.run(gateOfMatrix({ rows, latents, l1: gate.l1 }), [...of, f, gradZ, parts], [columns, blocks]);
  const sums = joined(device, parts);
  const [bEnc, rMag, bMag] = gateVectors.map((_, part) => partOf(sums, part));
  return { f, gradZ, slopes: partOf(sums, gateVectors.length), vectors: { bEnc, rMag, bMag }, sums: null };
}

function matrixOf(entries: Entries): DenseEntries {
  if (entries.kind !== 'dense') throw new TypeError('Only a matrix of pre-activations has these gradients.');
  return entries;
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
