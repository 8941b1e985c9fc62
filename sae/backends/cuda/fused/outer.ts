import type { SparseEntries } from '../../../ops/sparseEntries.ts';
import type { Tensor2D } from '../../../tensor/tf.ts';
import { idle, noList, noPlaces } from './updateArguments.ts';
import type { EntriesByLatent } from './entriesByLatent.ts';
import { type FusedPrograms, partOf } from './fusedPrograms.ts';

const threads = 256;

/** Sᵀ·g [latents, d], by the kernel that computes the gradient of W_dec. */
export function outer(
  programs: FusedPrograms,
  byLatent: EntriesByLatent,
  entries: SparseEntries,
  g: Tensor2D,
): Tensor2D {
  const { latents, indices, values } = entries;
  const { backend } = programs;
  const d = g.shape[1];
  const [count] = indices.shape;
  const out = programs.output<Tensor2D>([latents, d], 'float32');
  const { start, order } = byLatent.of(entries);
  programs.scratch(16 * count, (list) => {
    const blocks = Math.ceil(count / threads);
    const args = [start, order, backend.buffer(values), list, latents];
    programs.run('fusedContributions.cu', 'outerList', [blocks, threads], args);
    const kernel = {
      file: 'fusedUpdate.cu',
      name: 'updateRows',
      define: { BLOCKED: 0, GIVEN: 0, NARROW: 0, PURPOSE: 0 },
    };
    programs.runRows(kernel, d, { blocks: latents }, [
      start, partOf(start, 4), list, backend.buffer(g), ...noList, ...noPlaces, null, null, 0, null, null, null, out.buffer, ...idle, null, 0, d,
    ]); // prettier-ignore
  });
  return out.tensor;
}
