/**
 * A text, tokenised once and kept: learns a byte-level vocabulary from it, writes its token ids as little-endian
 * Uint16 beside the tokenizer. Trainings that share a text share the folder.
 */
import { createHash } from 'node:crypto';
import { createReadStream, existsSync, readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { LazyscopeError } from '../errors.ts';
import { pause } from '../pause.ts';
import { silent } from '../progress.ts';
import type { Report } from '../progress.ts';
import { corpusKind, type CorpusManifest } from '../spec/manifests/corpus.ts';
import { atomically, writeAll, writeJsonAtomic } from '../store/atomicWrite.ts';
import { readManifestSync } from '../store/readManifest.ts';
import { bringInFolder } from '../store/remote/bringIn.ts';
import { writeManifest } from '../store/writeManifest.ts';
import { BytePairEncoder, countWords, learnBytePairs } from './bytePairEncoding.ts';
import { openText, type TextSource } from './text/openText.ts';
import { cutAtSeparators } from './text/plainText.ts';
import { endOfText, tokenizerJson } from './tokenizerFiles.ts';

export interface Corpus {
  folder: string;
  manifest: CorpusManifest;
  /** All token ids; a document starts with <|endoftext|>, id 0. */
  tokens: Uint16Array;
}

export interface TokenizeOptions {
  /** What `openText` of ./text/openText.ts returns, or the path of a text; a document that spells out <|endoftext|> ends there too. */
  text: string | TextSource;
  /** Of tables and of JSON lines, where that isn't the default: another one makes another corpus. */
  field?: string | undefined;
  /** Where tokenizer.json, tokens.u16 and corpus.json go. Reused when they are of the same text and size. */
  folder: string;
  vocabularySize: number;
  report?: Report;
  /** Stops it, and no corpus is left. */
  signal?: AbortSignal | undefined;
}

export async function tokenizeCorpus(options: TokenizeOptions): Promise<Corpus> {
  const { folder, vocabularySize, field, report = silent, signal } = options;
  if (!Number.isInteger(vocabularySize) || vocabularySize < 257 || vocabularySize > 65_536)
    throw new LazyscopeError(
      'bad_input',
      `A byte-level vocabulary has 257 to 65,536 tokens, not ${vocabularySize}.`,
    );
  const text = typeof options.text === 'string' ? await openText(options.text, { field }) : options.text;
  const sha256 = await checksum(text, field);
  const done = manifestIn(folder);
  if (done) await bringInFolder(folder);
  if (done?.sha256 === sha256 && done.vocabularySize === vocabularySize)
    return { folder, manifest: done, tokens: readTokens(folder, done.tokens) };

  const counts = new Map<string, number>();
  for await (const piece of text.pieces()) {
    for (const part of cutAtSeparators(piece)) countWords(part.text, counts);
    report({ stage: 'count words', done: piece.bytes, total: piece.totalBytes, unit: 'bytes' });
    await pause(signal, 'tokenising');
  }
  const vocabulary = learnBytePairs(counts, vocabularySize, [endOfText]);
  if (vocabulary.pieces.length < vocabularySize)
    throw new LazyscopeError(
      'bad_input',
      `'${text.source}' is too short to learn ${vocabularySize} tokens from: it gives ${vocabulary.pieces.length}; use a longer text or a smaller vocabulary.`,
    );

  const encoder = new BytePairEncoder(vocabulary);
  let documents = 0;
  let tokens = 0;
  let bytes = 0;
  await atomically(join(folder, 'tokens.u16'), async (beside) => {
    const handle = await open(beside, 'wx');
    try {
      for await (const piece of text.pieces()) {
        const ids: number[] = [];
        for (const part of cutAtSeparators(piece)) {
          if (part.startsDocument) ids.push(0);
          documents += Number(part.startsDocument);
          encoder.encode(part.text, (word) => {
            for (const id of word) ids.push(id);
          });
        }
        await writeAll(handle, new Uint8Array(Uint16Array.from(ids).buffer));
        tokens += ids.length;
        bytes = piece.totalBytes;
        report({ stage: 'tokenise', done: piece.bytes, total: bytes, unit: 'bytes', values: { tokens } });
        await pause(signal, 'tokenising');
      }
    } finally {
      await handle.close();
    }
  });
  await writeJsonAtomic(join(folder, 'tokenizer.json'), tokenizerJson(vocabulary));
  const manifest: CorpusManifest = {
    version: 1,
    source: text.source,
    sha256,
    bytes,
    documents,
    tokens,
    vocabularySize,
  };
  await writeManifest(join(folder, 'corpus.json'), corpusKind, manifest);
  return { folder, manifest, tokens: readTokens(folder, tokens) };
}

/** SHA-256 of the one file, as it always was, or of all that is read. */
async function checksum(text: TextSource, field: string | undefined): Promise<string> {
  const hash = createHash('sha256');
  if (text.files.length === 1)
    for await (const chunk of createReadStream(text.files[0].path, { highWaterMark: 1 << 20 }))
      hash.update(chunk);
  else
    for await (const piece of text.pieces())
      hash.update(piece.startsDocument ? `\n\n${piece.text}` : piece.text);
  if (field !== undefined) hash.update(`\0${field}`);
  return hash.digest('hex');
}

/** A corpus that was tokenised before. Throws `not_found` or `corrupt`. */
export function openCorpus(folder: string): Corpus {
  const manifest = manifestIn(folder);
  if (!manifest)
    throw new LazyscopeError(
      'not_found',
      `'${folder}' holds no tokenised text (corpus.json): tokenise one first.`,
    );
  return { folder, manifest, tokens: readTokens(folder, manifest.tokens) };
}

function manifestIn(folder: string): CorpusManifest | undefined {
  const path = join(folder, 'corpus.json');
  return existsSync(path) ? readManifestSync(path, corpusKind) : undefined;
}

function readTokens(folder: string, count: number): Uint16Array {
  const path = join(folder, 'tokens.u16');
  const bytes = existsSync(path) ? readFileSync(path) : new Uint8Array();
  if (bytes.length !== 2 * count)
    throw new LazyscopeError(
      'corrupt',
      `'${path}' has ${bytes.length} bytes instead of ${2 * count}: delete corpus.json beside it and tokenise again.`,
    );
  return new Uint16Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}
