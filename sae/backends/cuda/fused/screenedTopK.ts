/** The k largest pre-activations of each row, found by a product in bfloat16 and computed in full precision; see source/fusedScreen.cu. */
import type { Encoder } from '../../../ops/fusedKernels.ts';
import type { SparseEntries } from '../../../ops/sparseEntries.ts';
import type { Tensor1D, Tensor2D } from '../../../tensor/tf.ts';
import { type EncoderCopies, narrowRows, narrowWidth } from './encoderCopies.ts';
import type { FusedPrograms } from './fusedPrograms.ts';
import { checkEntries } from './preActivations.ts';
import { rowLayout } from './rowLayout.ts';

const file = 'fusedScreen.cu';
/** The k-th largest of the threads' largest should not be much below the k-th largest of all, so there are this many threads for each of k. */
const threadsEach = 4;
const [fewestThreads, mostThreads] = [256, 1024];
/** Threads of a multiprocessor that share its registers. */
const residentThreads = 1024;
/** Fewer latents than this are not worth two kernels more. */
const fewestLatents = 4096;
/** Latents that share a bound, see source/narrow.cuh, and how many such groups a block goes through, a warp each. */
const [groupSize, groupsAtOnce] = [64, 8];

/** Whether to screen; `whereItPays` decides by sizes. The results are the same but for the order of sums. */
export type Screening = 'never' | 'whereItPays' | 'always';

export function isScreened(screening: Screening, latents: number, k: number): boolean {
  if (screening === 'never' || k * threadsEach > mostThreads) return false;
  return screening === 'always' || latents >= fewestLatents;
}

/** `blockBytes`: most bytes of screening pre-activations in memory at once; rows are processed in blocks that fit. */
export function screenedTopK(
  programs: FusedPrograms,
  copies: EncoderCopies,
  x: Tensor2D,
  { wEnc, bEnc, centre }: Encoder,
  k: number,
  blockBytes: number,
): SparseEntries {
  const { backend } = programs;
  const [rows, d] = x.shape;
  const [latents] = wEnc.shape;
  checkEntries(rows * k);
  const rowStart = programs.output<Tensor1D>([rows + 1], 'int32');
  const indices = programs.output<Tensor1D>([rows * k], 'int32');
  const values = programs.output<Tensor1D>([rows * k], 'float32');
  const operands = [x, centre, wEnc, bEnc].map((tensor) => programs.maybe(tensor));
  const weights = copies.of(wEnc, bEnc);
  const inputs = narrowRows(programs, backend.buffer(x), [rows, d], {
    centre: programs.maybe(centre),
    bias: null,
  });
  const width = Math.ceil(latents / 8) * 8;
  const depth = narrowWidth(d);
  const size = Math.min(rows, Math.max(1, Math.floor(blockBytes / (2 * width))));
  const threads = Math.max(fewestThreads, 2 ** Math.ceil(Math.log2(threadsEach * k)));
  const define = { VECTOR: rowLayout(d).define.VECTOR, THREADS: threads, BLOCKS: residentThreads / threads };
  // Twice what sums of so many products may lose, once for either kernel.
  const slack = (depth + 64) * 2 ** -22;
  const groups = Math.ceil(latents / groupSize);
  programs.scratch(8 * groups, (groupNorms) =>
    programs.scratch(4 * (rows + 1), (flagged) => {
      programs.run('fusedNorms.cu', 'largestNorms', [Math.ceil(groups / groupsAtOnce), 32 * groupsAtOnce], [
        weights.norms, groupNorms, latents,
      ]); // prettier-ignore
      backend.fill(flagged, 0, 1);
      programs.scratch(2 * size * width, (screened) => {
        for (let first = 0; first < rows; first += size) {
          const count = Math.min(size, rows - first);
          backend.products.multiply({
            m: count, n: latents, k: depth, a: inputs.rows, aOffset: first * depth, b: weights.rows, transposeB: true,
            c: screened, ldc: width, type: 'bf16', outType: 'bf16',
          }); // prettier-ignore
          programs.runRows({ file, name: 'screenedTopK', define }, d, { blocks: count, sharedRows: 1, threads }, [
            screened, width, first, rows, ...operands, inputs.norms, weights.norms, groupNorms, slack, k, latents, d,
            flagged, rowStart.buffer, indices.buffer, values.buffer,
          ]); // prettier-ignore
        }
      });
      const blocks = Math.min(rows, backend.programs.architecture.multiprocessors);
      programs.scratch(
        4 * blocks * latents,
        (z) =>
        programs.runRows({ file, name: 'topOfFlagged', define }, d, { blocks, sharedRows: 1, threads }, [
          flagged, ...operands, k, latents, d, z, indices.buffer, values.buffer,
        ]), // prettier-ignore
      );
    }),
  );
  backend.give(inputs.rows);
  backend.give(inputs.norms);
  const list = { rowStart: rowStart.tensor, indices: indices.tensor, values: values.tensor };
  return { kind: 'sparse', rows, latents, ...list };
}
