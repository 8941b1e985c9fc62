/** The k largest pre-activations of each row, from the product in full precision. */
import { LazyscopeError } from '../../../errors.ts';
import type { Encoder } from '../../../ops/fusedKernels.ts';
import type { SparseEntries } from '../../../ops/sparseEntries.ts';
import { tf, type Tensor1D, type Tensor2D } from '../../../tensor/tf.ts';
import type { FusedPrograms } from './fusedPrograms.ts';
import { centred, checkEntries, multiply } from './preActivations.ts';

const threads = 512;

/** `blockBytes`: most bytes of pre-activations in memory at once; rows are processed in blocks that fit. */
export function topK(
  programs: FusedPrograms,
  x: Tensor2D,
  encoder: Encoder,
  k: number,
  among: Int32Array | undefined,
  blockBytes: number,
): SparseEntries {
  const { backend } = programs;
  const [rows, d] = x.shape;
  const [latents] = encoder.wEnc.shape;
  const candidates = among?.length ?? latents;
  checkEntries(rows * k);
  if (k > candidates)
    throw new LazyscopeError(
      'bad_input',
      `topKEncode can't choose ${k} of ${candidates} latents: make k smaller.`,
    );
  const rowStart = programs.output<Tensor1D>([rows + 1], 'int32');
  const indices = programs.output<Tensor1D>([rows * k], 'int32');
  const values = programs.output<Tensor1D>([rows * k], 'float32');
  const names = among ? tf.tensor1d(among, 'int32') : null;
  const wEnc = names ? tf.gather(encoder.wEnc, names) : encoder.wEnc;
  const bEnc = names ? tf.gather(encoder.bEnc, names) : encoder.bEnc;
  const [w, bias] = [backend.buffer(wEnc), backend.buffer(bEnc)];
  const size = Math.min(rows, Math.max(1, Math.floor(blockBytes / (4 * candidates))));
  centred(programs, x, encoder, (from) =>
    programs.scratch(4 * size * candidates, (z) => {
      for (let first = 0; first < rows; first += size) {
        const count = Math.min(size, rows - first);
        multiply(programs, from, w, [first, count, d, candidates], z);
        programs.run('fusedSelect.cu', 'selectTopK', [count, threads], [
          z, bias, programs.maybe(names), candidates, k, first, rows, rowStart.buffer, indices.buffer, values.buffer,
        ]); // prettier-ignore
      }
    }),
  );
  if (names) tf.dispose([names, wEnc, bEnc]);
  const list = { rowStart: rowStart.tensor, indices: indices.tensor, values: values.tensor };
  return { kind: 'sparse', rows, latents, ...list };
}
