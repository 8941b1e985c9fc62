/** Reads the files of a published site, which lie beside its page. */
import { unpackAnswer, type Json } from '../../sae/spec/site/packedAnswer.ts';
import { siteFiles } from '../../sae/spec/site/answerPlace.ts';
import type { VocabularyFile } from '../../sae/spec/site/siteContent.ts';
import { tokenReader, unknownTokens, type TokenReader } from '../../server/queries/tokenReader.ts';

/** For what the study doesn't have. */
export class NotPublished extends Error {}

/** Files in memory; the least recently used go first. */
const mostFiles = 60;
const files = new Map<string, Promise<unknown>>();

/** The content of a file. Throws NotPublished where there is none. Whoever wrote the site wrote what the type says. */
export function siteFile<Content>(file: string): Promise<Content> {
  const known =
    files.get(file) ?? bytesOf(file).then((bytes) => JSON.parse(new TextDecoder().decode(bytes)) as unknown);
  files.delete(file);
  files.set(file, known);
  // What failed for want of a connection is asked for again.
  known.catch((error: unknown) => error instanceof NotPublished || files.delete(file));
  for (const oldest of files.keys()) {
    if (files.size <= mostFiles) break;
    files.delete(oldest);
  }
  return known as Promise<Content>;
}

/** The bytes of a file, unpacked. Some hosts send files that they know for gzip unpacked already. */
export async function bytesOf(file: string): Promise<Uint8Array> {
  const response = await fetch(file);
  if (response.status === 404) throw new NotPublished('This is not part of the published study.');
  if (!response.ok) throw new Error(`The host of this study answered ${response.status}.`);
  const bytes = new Uint8Array(await response.arrayBuffer());
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  const unpacked = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
  return new Uint8Array(await new Response(unpacked).arrayBuffer());
}

const readers = new Map<number, Promise<TokenReader>>();

/** The texts of tokens by the number of their vocabulary. */
export function readerOf(vocabulary: number | null): Promise<TokenReader> {
  if (vocabulary === null) return Promise.resolve(unknownTokens);
  const known =
    readers.get(vocabulary) ?? siteFile<VocabularyFile>(siteFiles.vocabulary(vocabulary)).then(tokenReader);
  readers.set(vocabulary, known);
  return known;
}

export async function unpacked(packed: Json, vocabulary: number | null): Promise<Json> {
  return unpackAnswer(packed, (await readerOf(vocabulary)).text);
}
