/**
 * Tables of a FlatBuffer (https://flatbuffers.dev/internals), read with every offset checked against the buffer: Arrow's
 * headers are FlatBuffers, and a library that trusts their lengths loops over whatever a damaged file claims.
 */

/** What is wrong with the buffer, as the error to throw. */
type Damaged = (why: string) => Error;

export class FlatTable {
  readonly #bytes: Buffer;
  readonly #at: number;
  /** Offset of the field in the table by the field's number; 0 for one that is left out. */
  readonly #fields: readonly number[];
  readonly #damaged: Damaged;

  private constructor(bytes: Buffer, at: number, damaged: Damaged) {
    this.#bytes = bytes;
    this.#at = at;
    this.#damaged = damaged;
    const vtable = at - this.#int32(at);
    const vtableBytes = this.#uint16(vtable);
    const tableBytes = this.#uint16(vtable + 2);
    if (vtableBytes < 4 || vtableBytes % 2 !== 0) throw damaged('a table of its header is damaged');
    this.#need(vtable, vtableBytes);
    this.#need(at, tableBytes);
    this.#fields = Array.from({ length: (vtableBytes - 4) / 2 }, (_, i) => this.#uint16(vtable + 4 + 2 * i));
  }

  /** The table that the buffer is of. Its methods throw what `damaged` makes of a place outside the buffer. */
  static root(bytes: Buffer, damaged: Damaged): FlatTable {
    if (bytes.length < 4) throw damaged('its header is cut off');
    return FlatTable.#behind(bytes, 0, damaged);
  }

  /** Fields are numbered as in the schema; one that is left out has the default. */
  int8(field: number, otherwise: number): number {
    const at = this.#place(field, 1);
    return at === undefined ? otherwise : this.#bytes.readInt8(at);
  }
  int16(field: number, otherwise: number): number {
    const at = this.#place(field, 2);
    return at === undefined ? otherwise : this.#bytes.readInt16LE(at);
  }
  int32(field: number, otherwise: number): number {
    const at = this.#place(field, 4);
    return at === undefined ? otherwise : this.#int32(at);
  }
  /** A count or a length: refused below 0 and where a double doesn't hold it. */
  length64(field: number): number {
    const at = this.#place(field, 8);
    return at === undefined ? 0 : this.#length(at);
  }
  /** Refused when it has more than `most` bytes. */
  text(field: number, most: number): string {
    const at = this.#place(field, 4);
    if (at === undefined) return '';
    const start = at + this.#uint32(at);
    const length = this.#uint32(start);
    if (length > most)
      throw this.#damaged(`it has a name of ${length} bytes where ${most} are the most that is read`);
    this.#need(start + 4, length);
    return this.#bytes.toString('utf8', start + 4, start + 4 + length);
  }
  table(field: number): FlatTable | undefined {
    const at = this.#place(field, 4);
    return at === undefined ? undefined : FlatTable.#behind(this.#bytes, at, this.#damaged);
  }
  /** A vector of tables; more than `most` of them are refused before any is looked at. */
  tables(field: number, most: number): FlatTable[] {
    const { start, count } = this.#vector(field, 4);
    if (count > most) throw this.#damaged(`it has ${count} entries where ${most} are the most that is read`);
    return Array.from({ length: count }, (_, i) =>
      FlatTable.#behind(this.#bytes, start + 4 * i, this.#damaged),
    );
  }
  /** A vector of structs that are 64-bit lengths throughout, `each` of them. */
  lengths(field: number, each: number): number[][] {
    const { start, count } = this.#vector(field, 8 * each);
    return Array.from({ length: count }, (_, i) =>
      Array.from({ length: each }, (__, j) => this.#length(start + 8 * (each * i + j))),
    );
  }

  static #behind(bytes: Buffer, at: number, damaged: Damaged): FlatTable {
    if (at + 4 > bytes.length) throw damaged('its header is damaged');
    return new FlatTable(bytes, at + bytes.readUInt32LE(at), damaged);
  }

  #vector(field: number, itemBytes: number): { start: number; count: number } {
    const at = this.#place(field, 4);
    if (at === undefined) return { start: 0, count: 0 };
    const start = at + this.#uint32(at);
    const count = this.#uint32(start);
    this.#need(start + 4, count * itemBytes);
    return { start: start + 4, count };
  }

  #place(field: number, bytes: number): number | undefined {
    const offset = this.#fields[field] ?? 0;
    if (offset === 0) return undefined;
    this.#need(this.#at + offset, bytes);
    return this.#at + offset;
  }
  #need(at: number, bytes: number): void {
    if (at < 0 || at + bytes > this.#bytes.length)
      throw this.#damaged('a length in its header is beyond the header');
  }
  #uint16(at: number): number {
    this.#need(at, 2);
    return this.#bytes.readUInt16LE(at);
  }
  #uint32(at: number): number {
    this.#need(at, 4);
    return this.#bytes.readUInt32LE(at);
  }
  #int32(at: number): number {
    this.#need(at, 4);
    return this.#bytes.readInt32LE(at);
  }
  #length(at: number): number {
    this.#need(at, 8);
    const value = this.#bytes.readBigInt64LE(at);
    if (value < 0n || value > BigInt(Number.MAX_SAFE_INTEGER))
      throw this.#damaged(`it claims a length of ${value}`);
    return Number(value);
  }
}
