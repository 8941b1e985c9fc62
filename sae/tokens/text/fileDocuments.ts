/** The documents of one file, whatever its kind, a piece at a time. */
import { open, type FileHandle } from 'node:fs/promises';
import { LazyscopeError } from '../../errors.ts';
import { ParquetText } from '../../store/parquetText.ts';
import { arrowColumn } from './arrowColumn.ts';
import { decodeText } from './decodeText.ts';
import { decompress, type Chunks } from './decompress.ts';
import { fileKind, headBytes, unreadableKind } from './fileKind.ts';
import { jsonLineDocuments, jsonObject } from './jsonLines.ts';
import { type Piece, plainTextPieces, tidy } from './plainText.ts';
import { textColumn } from './textColumn.ts';
import type { TextFile } from './textFiles.ts';

const chunkBytes = 1 << 18;
/** Characters of a first line that may be one of JSON lines. */
const longestFirstLine = 1 << 27;

export interface FileOptions {
  /** Of tables and of JSON lines: the column or field that holds the documents. */
  field?: string | undefined;
  /** In a folder, plain text may stand beside files that have the field. */
  amongOthers?: boolean;
}

/** A piece of a document, and how many bytes of the file have been read. */
export interface FilePiece extends Piece {
  bytes: number;
}

/**
 * Its first bytes say what kind a file is, and those of what is unpacked from it. Of tables and of JSON lines, `field` is read,
 * or what `textColumn` and `jsonLineDocuments` choose. Throws `bad_input` for what isn't text, `corrupt` for what is damaged, `not_found`.
 */
export async function* fileDocuments(
  { path, bytes: size }: TextFile,
  { field, amongOthers = false }: FileOptions = {},
): AsyncGenerator<FilePiece, void, void> {
  const handle = await open(path, 'r').catch((cause: unknown) => {
    throw new LazyscopeError('not_found', `The text '${path}' can't be read: check the path.`, { cause });
  });
  let bytes = 0;
  try {
    const head = await readHead(handle);
    const kind = fileKind(head);
    refuseUnreadable(head, path);
    if (kind === 'parquet') {
      yield* parquetDocuments({ path, bytes: size }, field);
      return;
    }
    if (kind === 'arrow file' || kind === 'arrow stream') {
      for await (const rows of arrowColumn(path, kind, field)) yield* asPieces(rows.values, rows.bytes);
      return;
    }
    const raw = chunksOf(handle, (read) => (bytes = read));
    const chunks = kind === 'plain' ? raw : await unpackedText(decompress(kind, raw, path), path);
    for await (const piece of textPieces(decodeText(chunks, path), path, { field, amongOthers }))
      yield { ...piece, bytes };
  } finally {
    await handle.close().catch(() => {});
  }
}

export async function readHead(handle: FileHandle): Promise<Uint8Array> {
  const head = Buffer.alloc(headBytes);
  const { bytesRead } = await handle.read(head, 0, headBytes, 0);
  return head.subarray(0, bytesRead);
}

export function refuseUnreadable(head: Uint8Array, path: string): void {
  const found = unreadableKind(head);
  if (found)
    throw new LazyscopeError('bad_input', `'${path}' is ${found.what}, which isn't read: ${found.remedy}.`);
}

export async function* chunksOf(handle: FileHandle, onBytes: (bytes: number) => void): Chunks {
  for (let at = 0; ;) {
    const chunk = Buffer.allocUnsafe(chunkBytes);
    const { bytesRead } = await handle.read(chunk, 0, chunkBytes, at);
    if (bytesRead === 0) return;
    at += bytesRead;
    onBytes(at);
    yield chunk.subarray(0, bytesRead);
  }
}

/** What is unpacked must be text: a table needs its whole file at hand. */
export async function unpackedText(chunks: Chunks, path: string): Promise<Chunks> {
  const { first, all } = await peeked(chunks, ({ length }) => length >= headBytes);
  const head = Buffer.concat(first.map((chunk) => chunk.subarray(0, headBytes)));
  refuseUnreadable(head, path);
  const kind = fileKind(head);
  if (kind === 'plain') return all;
  await all.return();
  throw new LazyscopeError('bad_input', `'${path}' holds ${kind} that is compressed as a whole: unpack it.`);
}

/** The first values, until there are enough, and all of them. */
async function peeked<T extends { length: number }>(
  values: AsyncGenerator<T, void, void>,
  enough: (value: T) => boolean,
): Promise<{ first: T[]; all: AsyncGenerator<T, void, void> }> {
  const first: T[] = [];
  for (;;) {
    const { done, value } = await values.next();
    if (done) break;
    first.push(value);
    if (enough(value)) break;
  }
  async function* all(): AsyncGenerator<T, void, void> {
    try {
      yield* first;
      yield* values;
    } finally {
      await values.return();
    }
  }
  return { first, all: all() };
}

/** Plain text or JSON lines: lines are objects if the first that isn't empty is one. */
async function* textPieces(
  strings: AsyncGenerator<string, void, void>,
  path: string,
  { field, amongOthers }: FileOptions,
): AsyncGenerator<Piece, void, void> {
  let seen = '';
  const { all } = await peeked(strings, (text) => {
    seen = (seen + text).trimStart();
    return seen.length > 0 && (seen[0] !== '{' || seen.includes('\n') || seen.length > longestFirstLine);
  });
  const firstLine = seen.slice(0, seen.indexOf('\n') + 1 || seen.length);
  const uncompressed = path.replace(/\.(gz|gzip|xz|zst|zstd)$/i, '');
  if (/\.(jsonl|ndjson)$/i.test(uncompressed) || jsonObject(firstLine) !== undefined) {
    for await (const document of jsonLineDocuments(all, path, field)) yield* asPieces([document], 0);
    return;
  }
  const refusal = /\.json$/i.test(uncompressed)
    ? `'${path}' is JSON, but not one object a line: write it as JSON lines.`
    : field === undefined || amongOthers
      ? undefined
      : `'${path}' is plain text and has no field '${field}': leave --text-field out.`;
  if (refusal !== undefined) {
    await all.return();
    throw new LazyscopeError('bad_input', refusal);
  }
  yield* plainTextPieces(all);
}

async function* parquetDocuments({ path, bytes: size }: TextFile, field: string | undefined) {
  const file = await ParquetText.open(path);
  try {
    const columns = file.columns.map((column) => ({
      ...column,
      isText: /^(VARCHAR|JSON|ENUM)\b/.test(column.type),
    }));
    for await (const { values, done, total } of file.column(textColumn(columns, path, field)))
      yield* asPieces(values, Math.round((size * done) / total));
  } finally {
    file.close();
  }
}

/** Values without anything visible are left out, and those that are missing. */
function* asPieces(values: readonly (string | null)[], bytes: number): Generator<FilePiece> {
  for (const value of values) {
    const text = tidy(value ?? '');
    if (text !== '') yield { text, startsDocument: true, bytes };
  }
}
