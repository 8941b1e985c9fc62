/** The k largest pre-activations of each row, from the product in full precision. */
import { LazyscopeError } from '../../../errors.ts';
import type { Encoder } from '../../../ops/fusedKernels.ts';
import type { SparseEntries } from '../../../ops/sparseEntries.ts';
import { tf, type Tensor1D, type Tensor2D } from '../../../tensor/tf.ts';
import type { DeviceBuffer } from '../deviceMemory.ts';
import { NotCapturable } from '../notCapturable.ts';
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
  const [rows] = x.shape;
  const [latents] = encoder.wEnc.shape;
  const candidates = among?.length ?? latents;
  checkEntries(rows * k);
  if (k > candidates)
    throw new LazyscopeError(
      'bad_input',
      `topKEncode can't choose ${k} of ${candidates} latents: make k smaller.`,
    );
  // A graph would choose among the same ones at every step.
  if (among && backend.recording) throw new NotCapturable('it chose among some latents');
  const names = among ? tf.tensor1d(among, 'int32') : null;
  const wEnc = names ? tf.gather(encoder.wEnc, names) : encoder.wEnc;
  const bEnc = names ? tf.gather(encoder.bEnc, names) : encoder.bEnc;
  const from = { w: backend.buffer(wEnc), bias: backend.buffer(bEnc), names, candidates };
  const list = selectRows(programs, x, encoder, k, from, blockBytes);
  if (names) tf.dispose([names, wEnc, bEnc]);
  return { kind: 'sparse', rows, latents, ...list };
}

/** What the k largest are chosen from: rows of W_enc and their biases. */
interface Candidates {
  readonly w: DeviceBuffer;
  readonly bias: DeviceBuffer;
  /** Their latents, where they aren't all: as a tensor, or as `choice` of source/fusedAuxiliary.cu, which also says how many there are. */
  readonly names?: Tensor1D | null;
  readonly choice?: DeviceBuffer;
  /** How many there are at most. */
  readonly candidates: number;
}

export function selectRows(
  programs: FusedPrograms,
  x: Tensor2D,
  encoder: Encoder,
  k: number,
  { w, bias, names = null, choice, candidates }: Candidates,
  blockBytes: number,
): Pick<SparseEntries, 'rowStart' | 'indices' | 'values'> {
  const [rows, d] = x.shape;
  const rowStart = programs.output<Tensor1D>([rows + 1], 'int32');
  const indices = programs.output<Tensor1D>([rows * k], 'int32');
  const values = programs.output<Tensor1D>([rows * k], 'float32');
  const size = Math.min(rows, Math.max(1, Math.floor(blockBytes / (4 * candidates))));
  centred(programs, x, encoder, (from) =>
    programs.scratch(4 * size * candidates, (z) => {
      for (let first = 0; first < rows; first += size) {
        const count = Math.min(size, rows - first);
        multiply(programs, from, w, [first, count, d, candidates], z);
        programs.run('fusedSelect.cu', 'selectTopK', [count, threads], [
          z, bias, programs.maybe(names), choice ?? null, candidates, k, first, rows, rowStart.buffer, indices.buffer, values.buffer,
        ]); // prettier-ignore
      }
    }),
  );
  return { rowStart: rowStart.tensor, indices: indices.tensor, values: values.tensor };
}
