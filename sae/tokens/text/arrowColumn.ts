/** One column of text from an Arrow IPC file or stream, a record batch at a time. */
import { DataType, RecordBatchReader } from 'apache-arrow';
import { open, type FileHandle } from 'node:fs/promises';
import { LazyscopeError } from '../../errors.ts';
import { registerArrowCodecs } from '../../formats/arrowCodecs.ts';
import { textColumn } from './textColumn.ts';

/** The values of a record batch, and about how many bytes of the file they end at. */
export interface ArrowRows {
  values: (string | null)[];
  bytes: number;
}

/** Throws `corrupt` for a file that is damaged or cut short, and `bad_input` for one without the column. */
export async function* arrowColumn(
  path: string,
  kind: 'arrow file' | 'arrow stream',
  asked: string | undefined,
): AsyncGenerator<ArrowRows, void, void> {
  const handle = await open(path, 'r');
  try {
    const { size } = await handle.stat();
    await checkEnd(handle, size, { path, kind });
    await registerArrowCodecs();
    const reader = await RecordBatchReader.from(handle);
    await reader.open();
    const columns = reader.schema.fields.map(({ name, type }) => ({
      name,
      type: String(type),
      isText: isText(type),
    }));
    const name = textColumn(columns, path, asked);
    let bytes = 0;
    for await (const batch of reader) {
      bytes = Math.min(size, bytes + batch.data.byteLength);
      yield { values: batch.getChild(name)?.toArray() ?? [], bytes };
    }
  } catch (cause) {
    if (cause instanceof LazyscopeError) throw cause;
    throw new LazyscopeError('corrupt', `'${path}' is not whole Arrow IPC: fetch or make it again.`, {
      cause,
    });
  } finally {
    await handle.close().catch(() => {});
  }
}

function isText(type: DataType): boolean {
  return (
    DataType.isUtf8(type) ||
    DataType.isLargeUtf8(type) ||
    (DataType.isDictionary(type) && isText(type.dictionary))
  );
}

/** A stream that was cut between two messages reads like a shorter one, but for its missing end mark. */
async function checkEnd(
  handle: FileHandle,
  size: number,
  { path, kind }: { path: string; kind: 'arrow file' | 'arrow stream' },
): Promise<void> {
  const end = Buffer.alloc(8);
  await handle.read(end, 0, 8, Math.max(0, size - 8));
  const whole =
    kind === 'arrow file' ? end.toString('latin1').endsWith('ARROW1') : end.readUInt32LE(4) === 0 && end.readUInt32LE(0) === 0xffffffff; // prettier-ignore
  if (!whole)
    throw new LazyscopeError(
      'corrupt',
      `'${path}' doesn't end as ${kind === 'arrow file' ? 'an Arrow file' : 'an Arrow stream'} does: it was cut short or its writer was not closed, so fetch or make it again.`,
    );
}
