/** The k largest pre-activations of each row, found by a product in bfloat16 and computed in full precision; see source/fusedScreen.cu. */
import type { Encoder } from '../../../ops/fusedKernels.ts';
import type { SparseEntries } from '../../../ops/sparseEntries.ts';
import type { Tensor1D, Tensor2D } from '../../../tensor/tf.ts';
import type { EncoderCopies } from './encoderCopies.ts';
import type { FusedPrograms } from './fusedPrograms.ts';
import { checkEntries } from './preActivations.ts';
import type { Screening } from '../screening.ts';
import { pays, screen, screenDefine } from './screen.ts';

const file = 'fusedScreen.cu';
/** The k-th largest of the threads' largest should not be much below the k-th largest of all, so there are this many threads for each of k. */
const threadsEach = 4;
const [fewestThreads, mostThreads] = [128, 1024];
/** Up to so many latents, a row's maxima fit into the shared memory of a block without leaving room for too few blocks. */
const mostKept = 65_536;

export function isScreened(screening: Screening, latents: number, k: number): boolean {
  return pays(screening, latents) && k * threadsEach <= mostThreads;
}

/** `blockBytes`: most bytes of screening pre-activations in memory at once; rows are processed in blocks that fit. */
export function screenedTopK(
  programs: FusedPrograms,
  copies: EncoderCopies,
  x: Tensor2D,
  encoder: Encoder,
  k: number,
  blockBytes: number,
): SparseEntries {
  const { backend } = programs;
  const [rows, d] = x.shape;
  const [latents] = encoder.wEnc.shape;
  checkEntries(rows * k);
  const rowStart = programs.output<Tensor1D>([rows + 1], 'int32');
  const indices = programs.output<Tensor1D>([rows * k], 'int32');
  const values = programs.output<Tensor1D>([rows * k], 'float32');
  const threads = Math.max(fewestThreads, 2 ** Math.ceil(Math.log2(threadsEach * k)));
  // The largest of each eight latents, two bytes each.
  const maxima = latents <= mostKept ? 2 * Math.ceil(latents / 8) : 0;
  const define = { ...screenDefine(d, threads), KEEPS: maxima > 0 ? 1 : 0 };
  programs.scratch(4 * (rows + 1), (flagged) =>
    screen(programs, copies, x, encoder, blockBytes, (by) => {
      backend.fill(flagged, 0, 1);
      by.eachBlock(
        (screened, first, count) =>
        programs.runRows({ file, name: 'screenedTopK', define }, d, { blocks: count, sharedRows: 1, moreShared: maxima, threads }, [
          screened, by.width, first, rows, ...by.operands, by.inputNorms, by.latentNorms, by.groupNorms, by.slack, k,
          latents, d, flagged, rowStart.buffer, indices.buffer, values.buffer,
        ]), // prettier-ignore
      );
      const blocks = Math.min(rows, backend.programs.architecture.multiprocessors);
      programs.scratch(
        4 * blocks * latents,
        (z) =>
        programs.runRows({ file, name: 'topOfFlagged', define }, d, { blocks, sharedRows: 1, threads }, [
          flagged, ...by.operands, k, latents, d, z, indices.buffer, values.buffer,
        ]), // prettier-ignore
      );
    }),
  );
  const list = { rowStart: rowStart.tensor, indices: indices.tensor, values: values.tensor };
  return { kind: 'sparse', rows, latents, ...list };
}
