/** Opens activations that another program computed: a file, a folder of files, or what it writes to standard input. */
import { closeSync, existsSync, readFileSync, readSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { LazyscopeError } from '../../errors.ts';
import { openFile } from '../openFile.ts';
import { parseJson } from '../parseJson.ts';
import type { ActivationReader } from './activationSource.ts';
import { arrowFileActivations, arrowStreamActivations } from './arrowActivations.ts';
import { npyActivations, npzActivations } from './numpyActivations.ts';
import { parquetActivations } from './parquetActivations.ts';
import { safetensorsActivations } from './safetensorsActivations.ts';
import { fileStatus } from '../../store/fileStatus.ts';

/** Stands for standard input. */
export const standardInput = '-';

/** Where activations come from. */
export interface ActivationFiles {
  /** For people and for the capture's manifest: names of files, without their folders. */
  source: string;
  /** One at a time, in order: each is opened when the one before has been closed. */
  open: (() => Promise<ActivationReader>)[];
}

/**
 * Of several paths, the files in the order in which they are given; of a folder, those of its `state.json` where Hugging Face's datasets wrote
 * it (as SAELens caches activations), else those whose names end as files of activations do, in the order of their names. Throws `not_found`, and `bad_input`
 * for what holds no activations.
 */
export async function openActivations(
  paths: readonly string[],
  input: AsyncIterable<Uint8Array>,
): Promise<ActivationFiles> {
  if (paths.includes(standardInput)) {
    if (paths.length > 1)
      throw new LazyscopeError(
        'bad_input',
        `Standard input ('-') can't be joined with files: give one or the other.`,
      );
    return {
      source: 'standard input',
      open: [() => arrowStreamActivations('Standard input', input)],
    };
  }
  const files: string[] = [];
  for (const path of paths) files.push(...(await filesOf(path)));
  return {
    source: paths.map((path) => basename(path)).join(', '),
    open: files.map((path) => () => openOne(path)),
  };
}

async function filesOf(path: string): Promise<string[]> {
  const status = fileStatus(path);
  if (!status)
    throw new LazyscopeError('not_found', `The activations '${path}' can't be read: check the path.`);
  if (!status.isDirectory()) return [path];
  if (existsSync(join(path, 'dataset_dict.json')))
    throw new LazyscopeError(
      'bad_input',
      `'${path}' holds several data sets: give the folder of one, for example '${join(path, 'train')}'.`,
    );
  if (existsSync(join(path, 'state.json'))) return stateFiles(path);
  const names = (await readdir(path)).filter((name) => readable.test(name) && !name.startsWith('.')).sort();
  if (names.length === 0)
    throw new LazyscopeError(
      'bad_input',
      `The folder '${path}' has no files that end in .safetensors, .npy, .npz, .arrow, .feather or .parquet: give the files.`,
    );
  return names.map((name) => join(path, name));
}

const readable = /\.(safetensors|npy|npz|arrow|arrows|feather|ipc|parquet)$/i;

const stateSchema = z.object({
  _data_files: z.array(z.object({ filename: z.string().regex(/^[^/\\]+$/) })).min(1),
  _indices_data_files: z.array(z.unknown()).nullish(),
});

function stateFiles(folder: string): string[] {
  const path = join(folder, 'state.json');
  const { bytes, values, depth } = { bytes: 1 << 24, values: 1 << 20, depth: 16 };
  const parsed = stateSchema.safeParse(parseJson(readFileSync(path, 'utf8'), path, { bytes, values, depth }));
  if (!parsed.success)
    throw new LazyscopeError('corrupt', `'${path}' doesn't list the files of a data set: save it again.`);
  if (parsed.data['_indices_data_files']?.length)
    throw new LazyscopeError(
      'bad_input',
      `The rows of '${folder}' are chosen by a list of indices: save flatten_indices() of it.`,
    );
  return parsed.data['_data_files'].map(({ filename }) => join(folder, filename));
}

async function openOne(path: string): Promise<ActivationReader> {
  const { fd, size } = openFile(path);
  const head = Buffer.alloc(16);
  try {
    readSync(fd, head, 0, 16, 0);
  } finally {
    closeSync(fd);
  }
  const begins = (text: string) => head.toString('latin1', 0, text.length) === text;
  if (begins('\x93NUMPY')) return npyActivations(path);
  if (begins('PK\x03\x04') && /\.npz$/i.test(path)) return npzActivations(path);
  if (begins('PAR1')) return parquetActivations(path);
  if (begins('ARROW1') || begins('\xff\xff\xff\xff')) return arrowFileActivations(path);
  // A header of JSON after the eight bytes of its length.
  if (size > 8 && head[8] === 0x7b) return safetensorsActivations(path);
  throw new LazyscopeError(
    'bad_input',
    `'${path}' is none of the files that activations are read from: save it as safetensors, .npy, .npz, Arrow or Parquet.`,
  );
}
