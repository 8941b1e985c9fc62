/**
 * An Arrow IPC stream of columns of numbers, read in slices of bounded size: memory doesn't follow the file's length, and
 * other work gets its turn between two slices. The stream may lack its end mark and be cut short in its last message, as a
 * file is that a writer is appending to.
 */
import type { FileHandle } from 'node:fs/promises';
import { LazyscopeError } from '../errors.ts';
import { openFileHandle } from './openFileHandle.ts';
import { longestHeader, readArrowMessage, type ArrowBatch, type ArrowField } from './arrowMessage.ts';

/** Consecutive rows: the values of each column that was asked for. */
export type ArrowSlice<Column extends string> = Readonly<Record<Column, Int32Array | Float64Array>> & {
  readonly rows: number;
  /** Where the message that they are of ends, in bytes from the beginning of the file. */
  readonly end: number;
};

/** 'int32' or 'float64'; a column without nulls. */
export type ColumnTypes<Column extends string> = Readonly<Record<Column, 'int32' | 'float64'>>;

/** Bytes that are read at once. */
const blockBytes = 1 << 20;
const sliceRows = 1 << 14;

/**
 * The rows of the file from the message at byte `from` on (0: all), as far as its last whole message; no rows where not even the schema
 * is whole. Throws `not_found`, and `corrupt` for a file that is no such stream, lacks a column, or has a length in it that contradicts another one.
 */
export async function* readArrowStream<Column extends string>(
  path: string,
  types: ColumnTypes<Column>,
  from = 0,
): AsyncGenerator<ArrowSlice<Column>> {
  const { file, size } = await openFileHandle(path);
  try {
    yield* readMessages(new BlockReader(file, path, size), types, from);
  } finally {
    await file.close();
  }
}

async function* readMessages<Column extends string>(
  reader: BlockReader,
  types: ColumnTypes<Column>,
  from: number,
): AsyncGenerator<ArrowSlice<Column>> {
  let places: Map<Column, number> | undefined;
  let columns = 0;
  for (let at = 0; at + 8 <= reader.size;) {
    const prefix = await reader.read(at, 8);
    const headerBytes = prefix.readInt32LE(4);
    // The end mark, or a tail that the file system filled with zeros.
    if ((prefix.readInt32LE(0) === -1 && headerBytes === 0) || prefix.readInt32LE(0) === 0) return;
    if (prefix.readInt32LE(0) !== -1 || headerBytes < 0) throw reader.damaged(`there is no message at byte ${at}`); // prettier-ignore
    if (headerBytes > longestHeader)
      throw reader.damaged(`a header claims ${headerBytes} bytes where ${longestHeader} are the most that is read`); // prettier-ignore
    const bodyStart = at + 8 + headerBytes;
    if (bodyStart > reader.size) return;
    const message = readArrowMessage(await reader.read(at + 8, headerBytes), reader.damaged);
    if (message.kind === 'schema') {
      if (places) throw reader.damaged('it has two schemas');
      places = placesOf(message.fields, types, reader.damaged);
      columns = message.fields.length;
    } else {
      if (!places) throw reader.damaged('its rows come before their schema');
      checkBatch(message.batch, columns, types, places, reader.damaged);
      if (bodyStart + message.bodyBytes > reader.size) return;
      yield* readRows(
        reader,
        message.batch,
        { start: bodyStart, end: bodyStart + message.bodyBytes },
        types,
        places,
      );
    }
    const end = bodyStart + message.bodyBytes;
    at = message.kind === 'schema' ? Math.max(end, from) : end;
  }
}

/** Where each column that was asked for stands among the columns of the file. */
function placesOf<Column extends string>(
  fields: readonly ArrowField[],
  types: ColumnTypes<Column>,
  damaged: (why: string) => Error,
): Map<Column, number> {
  const places = new Map<Column, number>();
  for (const column of Object.keys(types) as Column[]) {
    const place = fields.findIndex(({ name }) => name === column);
    const type = fields.at(place)?.type;
    const fits =
      types[column] === 'int32'
        ? type?.kind === 'int' && type.bits === 32 && type.signed
        : type?.kind === 'float' && type.bits === 64;
    if (place < 0 || !fits) throw damaged(`it has no column '${column}' of ${types[column]}`);
    places.set(column, place);
  }
  // With lists or other types among them, the buffers would have to be counted differently.
  if (fields.some(({ type }) => type.kind === 'list')) throw damaged('it has columns of lists');
  return places;
}

function checkBatch<Column extends string>(
  { rows, nodes, buffers }: ArrowBatch,
  columns: number,
  types: ColumnTypes<Column>,
  places: ReadonlyMap<Column, number>,
  damaged: (why: string) => Error,
): void {
  if (nodes.length !== columns || buffers.length !== 2 * columns)
    throw damaged(`some rows have ${nodes.length} columns where the schema has ${columns}`);
  for (const [column, place] of places) {
    const { length } = buffers[2 * place + 1];
    if (nodes[place].length !== rows || nodes[place].nulls !== 0 || length < rows * bytesOf(types[column]))
      throw damaged(`${rows} rows don't fit the ${length} bytes of column '${column}'`);
  }
}

async function* readRows<Column extends string>(
  reader: BlockReader,
  { rows, buffers }: ArrowBatch,
  { start: bodyStart, end }: { start: number; end: number },
  types: ColumnTypes<Column>,
  places: ReadonlyMap<Column, number>,
): AsyncGenerator<ArrowSlice<Column>> {
  for (let first = 0; first < rows; first += sliceRows) {
    const count = Math.min(sliceRows, rows - first);
    const columns: Partial<Record<Column, Int32Array | Float64Array>> = {};
    for (const [column, place] of places) {
      const bytes = bytesOf(types[column]);
      const start = bodyStart + buffers[2 * place + 1].offset + first * bytes;
      // Copied, because a view must begin at a multiple of its item's size.
      const copy = Uint8Array.from(await reader.read(start, count * bytes)).buffer;
      columns[column] = types[column] === 'int32' ? new Int32Array(copy) : new Float64Array(copy);
    }
    yield { rows: count, end, ...columns } as ArrowSlice<Column>;
  }
}

const bytesOf = (type: 'int32' | 'float64') => (type === 'int32' ? 4 : 8);

/** Ranges of a file, most of them out of the block that was read last. */
class BlockReader {
  readonly size: number;
  readonly damaged: (why: string) => LazyscopeError;
  readonly #file: FileHandle;
  #block = Buffer.alloc(0);
  #start = 0;

  constructor(file: FileHandle, path: string, size: number) {
    this.#file = file;
    this.size = size;
    this.damaged = (why) =>
      new LazyscopeError('corrupt', `'${path}' is not a whole table of numbers: ${why}; make it again.`);
  }

  /** Only until the next call. */
  async read(position: number, length: number): Promise<Buffer> {
    const end = position + length;
    if (position < this.#start || end > this.#start + this.#block.length) {
      const block = Buffer.alloc(Math.min(Math.max(length, blockBytes), this.size - position));
      let filled = 0;
      while (filled < block.length) {
        const { bytesRead } = await this.#file.read(block, filled, block.length - filled, position + filled);
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
      if (filled < length) throw this.damaged(`it ends at byte ${position + filled}, before byte ${end}`);
      this.#block = block.subarray(0, filled);
      this.#start = position;
    }
    return this.#block.subarray(position - this.#start, end - this.#start);
  }
}
