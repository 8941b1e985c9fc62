/**
 * Structures in Thrift's compact protocol (https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md), which Parquet describes
 * itself with. Numbers and lists are kept by the numbers of their fields; names and other bytes are passed over.
 */

/** The fields of a structure by number. A whole number beyond 2⁵³ is rounded. */
export type ThriftStruct = ReadonlyMap<number, ThriftValue>;
export type ThriftValue = number | ThriftStruct | readonly ThriftValue[];

/** For bytes that are no such structure; `TooShort` where it may go on behind their end. */
export class NotThrift extends Error {}
export class TooShort extends NotThrift {}

const deepest = 16;

/** The structure at the beginning of `bytes`, and how many bytes it takes. Throws `NotThrift`. */
export function readThriftStruct(bytes: Uint8Array): { struct: ThriftStruct; length: number } {
  const reader = new Reader(bytes);
  const struct = reader.struct(0);
  return { struct, length: reader.at };
}

class Reader {
  at = 0;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  struct(depth: number): ThriftStruct {
    if (depth > deepest) throw new NotThrift('structures lie too deep in one another');
    const fields = new Map<number, ThriftValue>();
    for (let field = 0; ;) {
      const head = this.#byte();
      if (head === 0) return fields;
      const step = head >> 4;
      field = step === 0 ? this.#signed() : field + step;
      const value = this.#value(head & 15, depth);
      if (value !== undefined) fields.set(field, value);
    }
  }

  /** Undefined for what is passed over. */
  #value(type: number, depth: number): ThriftValue | undefined {
    switch (type) {
      case 1:
      case 2:
        return type === 1 ? 1 : 0;
      case 3:
        return this.#byte();
      case 4:
      case 5:
      case 6:
        return this.#signed();
      case 7:
        this.#skip(8);
        return undefined;
      case 8:
        this.#skip(this.#unsigned());
        return undefined;
      case 9:
      case 10:
        return this.#list(depth + 1);
      case 12:
        return this.struct(depth + 1);
      default:
        throw new NotThrift(`there is no type ${type}`);
    }
  }

  #list(depth: number): ThriftValue[] {
    if (depth > deepest) throw new NotThrift('lists lie too deep in one another');
    const head = this.#byte();
    const count = head >> 4 === 15 ? this.#unsigned() : head >> 4;
    // An item takes a byte at least.
    if (count > this.#bytes.length - this.at)
      throw new TooShort('a list is longer than the bytes that there are');
    const type = head & 15;
    const items: ThriftValue[] = [];
    for (let i = 0; i < count; i++) {
      // Of booleans in a list each is a byte.
      const item = type <= 2 ? this.#byte() : this.#value(type, depth);
      if (item !== undefined) items.push(item);
    }
    return items;
  }

  #signed(): number {
    const value = this.#unsigned();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  #unsigned(): number {
    let value = 0;
    for (let factor = 1, count = 0; count < 10; count++, factor *= 128) {
      const byte = this.#byte();
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
    throw new NotThrift('a number is too long');
  }

  #byte(): number {
    if (this.at >= this.#bytes.length) throw new TooShort('it ends too early');
    return this.#bytes[this.at++];
  }

  #skip(count: number): void {
    if (count > this.#bytes.length - this.at) throw new TooShort('it ends too early');
    this.at += count;
  }
}
