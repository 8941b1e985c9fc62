/** Products in bfloat16 of a batch with an encoder, by which kernels find what has to be computed in full precision; see source/screen.cuh. */
import type { Encoder } from '../../../ops/fusedKernels.ts';
import type { Tensor2D } from '../../../tensor/tf.ts';
import type { DeviceBuffer } from '../deviceMemory.ts';
import type { Argument } from '../programs.ts';
import type { Screening } from '../screening.ts';
import { type EncoderCopies, narrowRows, narrowWidth } from './encoderCopies.ts';
import type { FusedPrograms } from './fusedPrograms.ts';
import { rowLayout } from './rowLayout.ts';

/** Fewer latents than this are not worth the kernels more. */
const fewestLatents = 4096;
/** Threads of a multiprocessor that share its registers. */
const residentThreads = 1024;
/** Latents that share a bound, see source/narrow.cuh, and how many such groups a block goes through, a warp each. */
const groupSize = 64;
const groupsAtOnce = 8;
/** Most candidates of a row; see source/screen.cuh. Where thresholds let more through, there may be room for so many. */
export const screenCapacity = 1024;
export const screenCapacities = [screenCapacity, 2048, 4096] as const;

export const pays = (screening: Screening, latents: number): boolean =>
  screening === 'always' || (screening === 'whereItPays' && latents >= fewestLatents);

/** How the kernels for a row of d numbers are compiled and launched with so many threads. */
export function screenDefine(d: number, threads: number) {
  return { VECTOR: rowLayout(d).define.VECTOR, THREADS: threads, BLOCKS: residentThreads / threads };
}

/** Blocks of a kernel with a warp a group of latents. */
export const groupGrid = (latents: number): readonly [number, number] => [
  Math.ceil(Math.ceil(latents / groupSize) / groupsAtOnce),
  32 * groupsAtOnce,
];
export const groupsOf = (latents: number): number => Math.ceil(latents / groupSize);

export interface Screened {
  /** x, centre, W_enc and b_enc. */
  readonly operands: readonly Argument[];
  readonly inputNorms: DeviceBuffer;
  readonly latentNorms: DeviceBuffer;
  readonly groupNorms: DeviceBuffer;
  /** Bounds what the rounding of sums may lose, relative to the product of the norms. */
  readonly slack: number;
  /** Elements from a row of z̃ to the next. */
  readonly width: number;
  /** Calls `visit` with z̃ [rows, width] of blocks of rows, in order, and the first row. Each call computes the products anew. */
  eachBlock(visit: (screened: DeviceBuffer, first: number, rows: number) => void): void;
}

/** `blockBytes`: most bytes of z̃ in memory at once. */
export function screen<T>(
  programs: FusedPrograms,
  copies: EncoderCopies,
  x: Tensor2D,
  { wEnc, bEnc, centre }: Encoder,
  blockBytes: number,
  use: (screened: Screened) => T,
): T {
  const { backend } = programs;
  const [rows, d] = x.shape;
  const [latents] = wEnc.shape;
  const operands = [x, centre, wEnc, bEnc].map((tensor) => programs.maybe(tensor));
  const weights = copies.of(wEnc, bEnc);
  const inputs = narrowRows(programs, backend.buffer(x), [rows, d], {
    centre: programs.maybe(centre),
    bias: null,
  });
  const width = Math.ceil(latents / 8) * 8;
  const depth = narrowWidth(d);
  const size = Math.min(rows, Math.max(1, Math.floor(blockBytes / (2 * width))));
  const groupNorms = backend.scratch(8 * groupsOf(latents));
  try {
    const args = [weights.norms, groupNorms, latents];
    programs.run('fusedNorms.cu', 'largestNorms', groupGrid(latents), args);
    return use({
      operands,
      inputNorms: inputs.norms,
      latentNorms: weights.norms,
      groupNorms,
      // Twice what sums of so many products may lose, once for either product.
      slack: (depth + 64) * 2 ** -22,
      width,
      eachBlock: (visit) =>
        programs.scratch(2 * size * width, (screened) => {
          for (let first = 0; first < rows; first += size) {
            const count = Math.min(size, rows - first);
            backend.products.multiply({
              m: count, n: latents, k: depth, a: inputs.rows, aOffset: first * depth, b: weights.rows, transposeB: true,
              c: screened, ldc: width, type: 'bf16', outType: 'bf16',
            }); // prettier-ignore
            visit(screened, first, count);
          }
        }),
    });
  } finally {
    for (const buffer of [groupNorms, inputs.rows, inputs.norms]) backend.give(buffer);
  }
}
