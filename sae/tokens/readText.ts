/** A whole text in memory. What is larger than memory is read as it is needed: see text/openText.ts. */
import { createHash } from 'node:crypto';
import { openText, type TextOptions } from './text/openText.ts';

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

/**
 * Reads what `openText` opens: a data set by name, a file of any kind that holds text (plain, JSON lines, Parquet, Arrow; compressed
 * with gzip, xz or zstd), or a folder of them. Throws as it does.
 */
export async function readText(source: string, options: TextOptions = {}): Promise<Text> {
  const opened = await openText(source, options);
  const pieces: string[][] = [];
  for await (const { text, startsDocument } of opened.pieces())
    if (startsDocument) pieces.push([text]);
    else pieces[pieces.length - 1].push(text);
  const documents = pieces.map((parts) => parts.join(''));
  const text = documents.join('\n\n');
  return {
    source: opened.source,
    text,
    documents,
    sha256: createHash('sha256').update(text).digest('hex'),
  };
}
