/**
 * Rows of a described table as few bytes, for files in which the rows of one latent lie together: one column after the other, each with the bytes of
 * its type in the order of this processor, of lists their lengths first, whole numbers in lists in two bytes where they fit, and all of it deflated
 * with a checksum (RFC 1950).
 */
import { deflateSync, inflateSync } from 'node:zlib';
import type { LazyscopeError } from '../errors.ts';
import type { RowOf, Table } from '../spec/tables/table.ts';
import type { Column } from './vectorColumns.ts';

/** More than any page has, so that a damaged length asks for no memory. */
const mostBytes = 64 << 20;

const scalars = {
  INTEGER: Int32Array,
  BIGINT: Float64Array,
  DOUBLE: Float64Array,
  FLOAT: Float32Array,
  BOOLEAN: Uint8Array,
} as const;

/** The items of lists; each list column says which of these it has, by its place here. */
const items = { long: Int32Array, float: Float32Array, short: Uint16Array } as const;
type Numbers = (typeof scalars)[keyof typeof scalars] | (typeof items)[keyof typeof items];
const fitsTwoBytes = (value: number) => value >= 0 && value < 1 << 16;

/** Rows of a table from `from` up to, but not with, `to`. */
export interface RowsToPack {
  table: Table;
  columns: Readonly<Record<string, Column>>;
  from: number;
  to: number;
}

/** Packs rows of several tables, of which no column may be null. */
export function packRows(parts: readonly RowsToPack[]): Uint8Array {
  const bytes: Uint8Array[] = [];
  const add = (values: ArrayBufferView) =>
    bytes.push(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  for (const { table, columns, from, to } of parts) {
    add(Int32Array.of(to - from));
    for (const [name, { type, nullable }] of Object.entries(table)) {
      if (nullable) throw new TypeError(`column ${name} may be null`);
      const column = columns[name];
      if ('offsets' in column) {
        const { values, offsets } = column;
        add(
          Int32Array.from({ length: to - from }, (_, row) => offsets[from + row + 1] - offsets[from + row]),
        );
        const listed = values.subarray(offsets[from], offsets[to]);
        const stored = type === 'FLOAT[]' ? 'float' : listed.every(fitsTwoBytes) ? 'short' : 'long';
        add(Int32Array.of(Object.keys(items).indexOf(stored)));
        add(items[stored].from(listed));
      } else if (Array.isArray(column)) {
        const texts = Buffer.from(JSON.stringify(column.slice(from, to)));
        add(Int32Array.of(texts.length));
        add(texts);
      } else if (type in scalars) {
        add(scalars[type as keyof typeof scalars].from(column.subarray(from, to)));
      } else throw new TypeError(`column ${name} of type ${type} has numbers`);
    }
  }
  return deflateSync(Buffer.concat(bytes));
}

/** Reads what packRows wrote, a table after the other. */
export class PackedRows {
  readonly #bytes: Buffer;
  readonly #damaged: (cause?: unknown) => LazyscopeError;
  #at = 0;

  /** Throws what `damaged` makes for bytes that were not packed so. */
  constructor(packed: Uint8Array, damaged: (cause?: unknown) => LazyscopeError) {
    this.#damaged = damaged;
    try {
      this.#bytes = inflateSync(packed, { maxOutputLength: mostBytes });
    } catch (error) {
      throw damaged(error);
    }
  }

  /** The rows of the next table, which must be as it was when they were packed. */
  rows<T extends Table>(table: T): RowOf<T>[] {
    const [count] = this.#take(Int32Array, 1);
    const rows = Array.from({ length: this.#length(count) }, (): Record<string, unknown> => ({}));
    for (const [name, { type }] of Object.entries(table))
      this.#column(type, count).forEach((value, row) => (rows[row][name] = value));
    // The columns are those of the description, in its types.
    return rows as RowOf<T>[];
  }

  #column(type: Table[string]['type'], rows: number): unknown[] {
    switch (type) {
      case 'INTEGER[]':
      case 'FLOAT[]': {
        const lengths = this.#take(Int32Array, rows);
        const [place] = this.#take(Int32Array, 1);
        const stored = Object.values(items)[place];
        if (!stored || (stored === items.float) !== (type === 'FLOAT[]')) throw this.#damaged();
        return Array.from(lengths, (length) => Array.from(this.#take(stored, this.#length(length))));
      }
      case 'VARCHAR': {
        const [length] = this.#take(Int32Array, 1);
        return this.#texts(this.#bytesOf(this.#length(length)), rows);
      }
      case 'BOOLEAN':
        return Array.from(this.#take(Uint8Array, rows), (value) => value === 1);
      default:
        return Array.from(this.#take(scalars[type], rows));
    }
  }

  #texts(bytes: ArrayBuffer, rows: number): string[] {
    let texts: unknown;
    try {
      texts = JSON.parse(Buffer.from(bytes).toString('utf8'));
    } catch (error) {
      throw this.#damaged(error);
    }
    if (!Array.isArray(texts) || texts.length !== rows || !texts.every((text) => typeof text === 'string'))
      throw this.#damaged();
    return texts;
  }

  #length(length: number): number {
    if (length < 0 || length > this.#bytes.length) throw this.#damaged();
    return length;
  }

  #take(type: Numbers, count: number): Iterable<number> & ArrayLike<number> {
    return new type(this.#bytesOf(count * type.BYTES_PER_ELEMENT));
  }

  /** A copy, since the place among the bytes need not suit the numbers' type. */
  #bytesOf(length: number): ArrayBuffer {
    if (this.#at + length > this.#bytes.length) throw this.#damaged();
    const copy = new Uint8Array(length);
    copy.set(this.#bytes.subarray(this.#at, this.#at + length));
    this.#at += length;
    return copy.buffer;
  }
}
