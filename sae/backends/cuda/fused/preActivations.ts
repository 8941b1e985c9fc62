/** Pre-activations without their biases, (x − centre)·W_encᵀ, for the kernels of source/fusedSelect.cu, which add the biases. */
import { LazyscopeError } from '../../../errors.ts';
import type { Encoder } from '../../../ops/fusedKernels.ts';
import type { Tensor2D } from '../../../tensor/tf.ts';
import type { DeviceBuffer } from '../deviceMemory.ts';
import type { FusedPrograms } from './fusedPrograms.ts';

/** Entries are counted in 32 bits. */
export const mostEntries = 2 ** 31 - 1;

/** Throws `bad_input` where a list of so many entries can't be counted. */
export function checkEntries(count: number): void {
  if (count > mostEntries)
    throw new LazyscopeError(
      'bad_input',
      `A batch may have ${mostEntries} entries on the cuda backend but was asked for ${count}: make batchSize or k smaller.`,
    );
}

/** Calls `use` with x − centre [rows, d], which is x itself where there is no centre. */
export function centred<T>(
  programs: FusedPrograms,
  x: Tensor2D,
  { centre }: Encoder,
  use: (x: DeviceBuffer) => T,
): T {
  const { backend } = programs;
  const from = backend.buffer(x);
  if (!centre) return use(from);
  const [rows, d] = x.shape;
  return programs.scratch(4 * rows * d, (to) => {
    const args = [from, backend.buffer(centre), to, d];
    programs.runRows({ file: 'fusedRows.cu', name: 'subtractCentre' }, d, { blocks: rows }, args);
    return use(to);
  });
}

/** z [rows, latents] of the rows from `first` on, without biases. */
export function multiply(
  programs: FusedPrograms,
  x: DeviceBuffer,
  w: DeviceBuffer,
  [first, rows, d, latents]: readonly [number, number, number, number],
  z: DeviceBuffer,
): void {
  const sizes = { m: rows, n: latents, k: d, aOffset: first * d };
  programs.backend.products.multiply({ ...sizes, a: x, b: w, c: z, transposeB: true, type: 'f32' });
}
