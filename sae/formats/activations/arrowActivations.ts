/**
 * Activations in a table of Arrow, in a file or a stream, a record batch at a time: columns of lists of numbers
 * (of fixed length or not), or of lists of lists for contexts. Extension types, such as the arrays of Hugging Face data sets, are lists inside.
 */
import { DataType, RecordBatchReader, type Data, type Field, type RecordBatch } from 'apache-arrow';
import { open } from 'node:fs/promises';
import { LazyscopeError } from '../../errors.ts';
import { registerArrowCodecs } from '../arrowCodecs.ts';
import { float16ToFloat32 } from '../float16.ts';
import type {
  ActivationColumn,
  ActivationPiece,
  ActivationReader,
  ChosenColumns,
} from './activationSource.ts';
import { tokenIds } from './tokenIds.ts';

const streamMark = Buffer.from([0xff, 0xff, 0xff, 0xff]);
/** The last eight bytes of a stream that was closed. */
const streamEnd = Buffer.from([0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]);

/** Throws `corrupt` for a file that was cut short. */
export async function arrowFileActivations(path: string): Promise<ActivationReader> {
  const handle = await open(path, 'r');
  try {
    const { size } = await handle.stat();
    const ends = Buffer.alloc(14);
    await handle.read(ends, 0, 6, 0);
    await handle.read(ends, 6, 8, Math.max(0, size - 8));
    const isFile = ends.toString('latin1', 0, 6) === 'ARROW1';
    const whole = isFile ? ends.toString('latin1').endsWith('ARROW1') : ends.subarray(6).equals(streamEnd);
    if (!whole) throw cutShort(path);
    return await readerOf(path, await RecordBatchReader.from(handle), () => handle.close().catch(() => {}));
  } catch (error) {
    await handle.close().catch(() => {});
    throw error;
  }
}

/**
 * The stream that another program writes, for example through a pipe. Throws `bad_input` for something else than a stream of Arrow, and
 * `corrupt`, once it has been read, when its writer didn't close it: then it may lack rows.
 */
export async function arrowStreamActivations(
  name: string,
  chunks: AsyncIterable<Uint8Array>,
): Promise<ActivationReader> {
  let tail = Buffer.alloc(0);
  const source = chunks[Symbol.asyncIterator]();
  let head = Buffer.alloc(0);
  while (head.length < 4) {
    const { done, value } = await source.next();
    if (done) break;
    head = Buffer.concat([head, value]);
  }
  if (!head.subarray(0, 4).equals(streamMark))
    throw new LazyscopeError(
      'bad_input',
      `${name} is ${head.length === 0 ? 'empty' : 'no stream of Arrow'}: write it with pyarrow.ipc.new_stream.`,
    );
  async function* watched() {
    for (let chunk: Uint8Array = head; ;) {
      tail = Buffer.concat([tail, chunk.subarray(-8)]).subarray(-8);
      yield chunk;
      const { done, value } = await source.next();
      if (done) return;
      chunk = value;
    }
  }
  const pieces = watched();
  const reader = await readerOf(name, await RecordBatchReader.from(pieces), async () => {
    await source.return?.();
  });
  return {
    ...reader,
    async *pieces(chosen) {
      yield* reader.pieces(chosen);
      // Whatever follows is read, so that the writer is not stopped by a pipe that nobody reads.
      for (;;) {
        const { done, value } = await source.next();
        if (done) break;
        tail = Buffer.concat([tail, value.subarray(-8)]).subarray(-8);
      }
      if (!tail.equals(streamEnd)) throw cutShort(name);
    },
  };
}

function cutShort(path: string): LazyscopeError {
  return new LazyscopeError(
    'corrupt',
    `'${path}' doesn't end as Arrow does: it was cut short or its writer was not closed, so make it again.`,
  );
}

type Batches = Awaited<ReturnType<typeof RecordBatchReader.from>>;

async function readerOf(
  path: string,
  reader: Batches,
  close: () => Promise<void>,
): Promise<ActivationReader> {
  await registerArrowCodecs();
  await explained(path, async () => reader.open());
  if (!reader.schema) throw new LazyscopeError('corrupt', `'${path}' has no schema of Arrow: make it again.`);
  const columns = reader.schema.fields.flatMap(columnOf);
  return {
    path,
    columns,
    async *pieces(chosen) {
      for (;;) {
        const { done, value } = await explained(path, async () => reader.next());
        if (done) return;
        yield pieceOf(path, value as RecordBatch, chosen);
      }
    },
    close,
  };
}

async function explained<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof LazyscopeError) throw cause;
    throw new LazyscopeError('corrupt', `'${path}' is not whole Arrow IPC: make it again.`, { cause });
  }
}

function columnOf({ name, type }: Field): ActivationColumn[] {
  let item: DataType = type;
  let axes = 1;
  for (; isList(item); axes++) item = item.children[0].type;
  if (DataType.isFloat(item)) return [{ name, numbers: 'float', axes }];
  return DataType.isInt(item) ? [{ name, numbers: 'integer', axes }] : [];
}

function isList(type: DataType): boolean {
  return DataType.isFixedSizeList(type) || DataType.isList(type) || DataType.isLargeList(type);
}

function pieceOf(path: string, batch: RecordBatch, chosen: ChosenColumns): ActivationPiece {
  const activations = chosen.activations.map((name) => {
    const { axes, values } = numbersOf(path, name, columnData(path, batch, name));
    const [positions, width] = axes.length === 1 ? [1, axes[0]] : axes;
    return { name, positions, width, values: floats(values) };
  });
  const [{ positions }] = activations;
  for (const each of activations) if (each.positions !== positions) throw unlike(path, each.name);
  const tokens = chosen.tokens === null ? null : tokensOf(path, batch, chosen.tokens);
  if (tokens && tokens.length !== batch.numRows * positions) throw unlike(path, chosen.tokens ?? '');
  return {
    contexts: batch.numRows,
    positions,
    activations: new Map(activations.map(({ name, width, values }) => [name, { width, values }])),
    tokens,
  };
}

function unlike(path: string, column: string): LazyscopeError {
  return new LazyscopeError(
    'bad_input',
    `Column '${column}' of '${path}' has another number of positions than the other columns: save as many of each.`,
  );
}

function tokensOf(path: string, batch: RecordBatch, name: string): Int32Array {
  const { values } = numbersOf(path, name, columnData(path, batch, name));
  const whole =
    values instanceof BigInt64Array || values instanceof BigUint64Array ? Array.from(values, Number) : values;
  return tokenIds(whole, path, name);
}

function columnData(path: string, batch: RecordBatch, name: string): Data {
  const found = batch.getChild(name)?.data;
  if (found?.length !== 1) throw new LazyscopeError('corrupt', `'${path}' lost its column '${name}'.`);
  return found[0];
}

type Numbers = Float32Array | Float64Array | Int32Array | Uint16Array | BigInt64Array | BigUint64Array;

/** The numbers of a column, and the length of the lists on each level: the same for every row, or it is refused. */
function numbersOf(path: string, column: string, data: Data): { axes: number[]; values: Numbers } {
  const damaged = (why: string) =>
    new LazyscopeError('corrupt', `Column '${column}' of '${path}' is damaged: ${why}; make it again.`);
  const axes: number[] = [];
  let [from, count, current] = [data.offset, data.length, data];
  for (;;) {
    if (current.nullCount > 0)
      throw new LazyscopeError(
        'bad_input',
        `Column '${column}' of '${path}' has missing values: leave those rows out.`,
      );
    const { type } = current;
    if (!isList(type)) break;
    if (DataType.isFixedSizeList(type)) {
      axes.push(type.listSize);
      from *= type.listSize;
      count *= type.listSize;
    } else {
      const offsets = Float64Array.from(current.valueOffsets as ArrayLike<number | bigint>, Number);
      if (offsets.length < from + count + 1) throw damaged('its lists lack an end');
      const width = count === 0 ? 0 : offsets[from + 1] - offsets[from];
      for (let i = from; i < from + count; i++)
        if (offsets[i + 1] - offsets[i] !== width)
          throw new LazyscopeError(
            'bad_input',
            `Column '${column}' of '${path}' has rows of ${width} and of ${offsets[i + 1] - offsets[i]} values: save rows of one length.`,
          );
      axes.push(width);
      from = offsets[from];
      count *= width;
    }
    current = current.children[0];
  }
  const values = current.values as Numbers;
  if (from < 0 || from + count > values.length) throw damaged(`it has ${values.length} values`);
  // Bits of half floats are in an array of 16-bit numbers, as such numbers themselves are.
  const half = DataType.isFloat(current.type) && values instanceof Uint16Array;
  const chosen = values.subarray(from, from + count);
  return { axes, values: half ? float16ToFloat32(chosen as Uint16Array) : chosen };
}

function floats(values: Numbers): Float32Array {
  if (values instanceof Float32Array) return values;
  if (values instanceof BigInt64Array || values instanceof BigUint64Array)
    return Float32Array.from(values, Number);
  return Float32Array.from(values);
}
