/** A text file of any size as pieces of documents, read in blocks so that it need not fit in a string. */
import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { LazyscopeError } from '../errors.ts';
import { isJsonLines } from './jsonLines.ts';
import { endOfText } from './tokenizerFiles.ts';

const blockBytes = 8 << 20;
const newline = 0x0a;

export interface TextPiece {
  text: string;
  /** Whether a new document starts with this piece. */
  startsDocument: boolean;
  /** Bytes of the file read so far, of `totalBytes`. */
  bytes: number;
  totalBytes: number;
}

/**
 * Documents are separated by <|endoftext|>, with any white space around it dropped. A piece ends just before
 * a line end that follows something visible, where no word of byte-level BPE can straddle the cut.
 */
export async function* readDocuments(path: string): AsyncGenerator<TextPiece> {
  if (isJsonLines(path))
    throw new LazyscopeError(
      'bad_input',
      `'${path}' holds JSON lines, and a text to learn tokens from is plain: write its documents one after the other with ${endOfText} between them.`,
    );
  let startsDocument = true;
  for await (const { text, bytes, totalBytes } of readBlocks(path)) {
    const documents = text.split(endOfText);
    for (let i = 0; i < documents.length; i++) {
      if (i > 0) startsDocument = true;
      let piece = documents[i];
      if (startsDocument) piece = piece.trimStart();
      if (i + 1 < documents.length) piece = piece.trimEnd();
      if (piece === '') continue;
      yield { text: piece, startsDocument, bytes, totalBytes };
      startsDocument = false;
    }
  }
}

async function* readBlocks(path: string) {
  const handle = await open(path, 'r').catch((error: unknown) => {
    throw new LazyscopeError('not_found', `The text '${path}' can't be read: check the path.`, {
      cause: error,
    });
  });
  try {
    const totalBytes = (await handle.stat()).size;
    if (totalBytes === 0) throw new LazyscopeError('bad_input', `The text '${path}' is empty.`);
    const decoder = new TextDecoder('utf-8', { fatal: true });
    let kept = Buffer.alloc(0);
    for (let bytes = 0; bytes < totalBytes;) {
      const block = Buffer.alloc(Math.min(blockBytes, totalBytes - bytes));
      const { bytesRead } = await handle.read(block, 0, block.length, bytes);
      if (bytesRead === 0) break;
      bytes += bytesRead;
      const all = Buffer.concat([kept, block.subarray(0, bytesRead)]);
      const cut = bytes < totalBytes ? lastSafeCut(all) : all.length;
      kept = all.subarray(cut);
      if (cut > 0) yield { text: decode(decoder, all.subarray(0, cut), path), bytes, totalBytes };
    }
    if (kept.length > 0) yield { text: decode(decoder, kept, path), bytes: totalBytes, totalBytes };
  } finally {
    await handle.close();
  }
}

/** 0 when the block has none: it is then read on. */
function lastSafeCut(bytes: Buffer): number {
  for (let i = bytes.length - 1; i > 0; i--)
    // Any byte above the ASCII punctuation range's start is visible or part of a longer character; U+0085 and
    // the like would need decoding, so only plain letters, digits and punctuation count.
    if (bytes[i] === newline && bytes[i - 1] > 0x20 && bytes[i - 1] < 0x7f) return i;
  return 0;
}

function decode(decoder: TextDecoder, bytes: Buffer, path: string): string {
  try {
    return decoder.decode(bytes);
  } catch (error) {
    throw new LazyscopeError('bad_input', `The text '${path}' is not UTF-8: convert it first.`, {
      cause: error,
    });
  }
}

/** SHA-256 of a file's bytes, in hexadecimal. */
export async function fileSha256(path: string): Promise<string> {
  const handle = await open(path, 'r').catch((error: unknown) => {
    throw new LazyscopeError('not_found', `The text '${path}' can't be read: check the path.`, {
      cause: error,
    });
  });
  const hash = createHash('sha256');
  for await (const chunk of handle.createReadStream({ highWaterMark: 1 << 20 })) hash.update(chunk);
  return hash.digest('hex');
}
