/**
 * Copies in bfloat16: of encoders for screening, see source/narrow.cuh, and of decoders with storage bf16. The kernel that updates a matrix
 * rewrites its copy too. A copy belongs to the contents of the matrix and, of an encoder, of b_enc, which the backend counts changes of, so
 * none is ever stale, and a missing one is made.
 */
import type { Tensor1D, Tensor2D, Tf } from '../../../tensor/tf.ts';
import type { DeviceBuffer } from '../deviceMemory.ts';
import { NotCapturable } from '../notCapturable.ts';
import type { FusedPrograms } from './fusedPrograms.ts';

/** Rows in bfloat16, [rows, width] with the width of `narrowWidth`, and norms [rows, 2] that bound the errors of products with them. */
export interface NarrowRows {
  readonly rows: DeviceBuffer;
  readonly norms: DeviceBuffer;
}

/** Elements of the copy of a row of d numbers: three more for the bias, and a multiple of 16 bytes. */
export const narrowWidth = (d: number): number => Math.ceil((d + 3) / 8) * 8;

/** Makes the copy of x − centre, or with `bias` that of W_enc. The caller gives both buffers back. */
export function narrowRows(
  programs: FusedPrograms,
  x: DeviceBuffer,
  [rows, d]: readonly [number, number],
  { centre, bias }: { centre: DeviceBuffer | null; bias: DeviceBuffer | null },
): NarrowRows {
  const { backend } = programs;
  const made = { rows: backend.scratch(2 * rows * narrowWidth(d)), norms: backend.scratch(8 * rows) };
  const args = [x, centre, bias, made.rows, made.norms, d];
  programs.runRows({ file: 'fusedNarrow.cu', name: 'narrowRows' }, d, { blocks: rows }, args);
  return made;
}

interface Contents {
  readonly id: Tf.TensorInfo['dataId'];
  readonly version: number | null;
}

interface Copy {
  readonly wEnc: Contents;
  readonly bEnc: Contents | null;
  readonly narrow: NarrowRows;
}

export class EncoderCopies {
  readonly #programs: FusedPrograms;
  #copies: readonly Copy[] = [];

  constructor(programs: FusedPrograms) {
    this.#programs = programs;
  }

  /** The copy of an encoder, or without biases that of another matrix. It stays valid for as long as the contents are the same. */
  of(wEnc: Tensor2D, bEnc: Tensor1D | null): NarrowRows {
    const known = this.current(wEnc, bEnc);
    const { recording } = this.#programs.backend;
    if (recording && !known) throw new NotCapturable('a copy in bfloat16 had to be made');
    recording?.onlyWhere(() => this.current(wEnc, bEnc) === known);
    if (known) return known;
    this.#giveUpStale();
    const { backend } = this.#programs;
    const from = { centre: null, bias: this.#programs.maybe(bEnc) };
    const narrow = narrowRows(this.#programs, backend.buffer(wEnc), wEnc.shape, from);
    this.keep(narrow, wEnc, bEnc);
    return narrow;
  }

  /** The copy of an encoder, or null where there is none. */
  current(wEnc: Tf.TensorInfo, bEnc: Tf.TensorInfo | null): NarrowRows | null {
    const [w, b] = [this.#contents(wEnc), bEnc && this.#contents(bEnc)];
    return this.#copies.find((copy) => same(copy.wEnc, w) && same(copy.bEnc, b))?.narrow ?? null;
  }

  /** Says that a copy now is one of the present contents. */
  keep(narrow: NarrowRows, wEnc: Tf.TensorInfo, bEnc: Tf.TensorInfo | null): void {
    const copy = { narrow, wEnc: this.#contents(wEnc), bEnc: bEnc && this.#contents(bEnc) };
    this.#copies = [...this.#copies.filter((other) => other.narrow !== narrow), copy];
  }

  #contents({ dataId }: Tf.TensorInfo): Contents {
    return { id: dataId, version: this.#programs.backend.version(dataId) };
  }

  #giveUpStale(): void {
    const { backend } = this.#programs;
    const isStale = ({ wEnc, bEnc }: Copy) =>
      [wEnc, bEnc].some((of) => of !== null && backend.version(of.id) !== of.version);
    for (const { narrow } of this.#copies.filter(isStale)) {
      backend.give(narrow.rows);
      backend.give(narrow.norms);
    }
    this.#copies = this.#copies.filter((copy) => !isStale(copy));
  }
}

const same = (a: Contents | null, b: Contents | null) => a?.id === b?.id && a?.version === b?.version;
