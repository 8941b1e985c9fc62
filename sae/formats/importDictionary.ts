/** Dictionaries of other tools, told apart by the files they come in. */
import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { LazyscopeError } from '../errors.ts';
import { dictionaryFormats, importedFormats } from '../spec/dictionaryFormats.ts';
import {
  dictionaryLearningRefusal,
  readDictionaryLearning,
  writeDictionaryLearning,
} from './dictionaryLearning.ts';
import type { DictionaryWeights, ImportedDictionary, Transposed } from './dictionaryWeights.ts';
import { gemmaScopeRefusal, readGemmaScope, writeGemmaScope } from './gemmaScope.ts';
import { isLlamascopium, readLlamascopium } from './llamascopium.ts';
import { readSaelens, saelensRefusal, writeSaelens } from './saelens.ts';
import { readSparsify, sparsifyModules, sparsifyRefusal, writeSparsify } from './sparsify.ts';
import { fileStatus } from '../store/fileStatus.ts';

/** The tools whose dictionaries can be read and written, and those whose dictionaries can be read. */
export { dictionaryFormats, importedFormats };
/** One of `dictionaryFormats`. */
export type DictionaryFormat = (typeof dictionaryFormats)[number];
/** One of `importedFormats`. */
export type ImportedFormat = (typeof importedFormats)[number];

/** Which tool wrote the folder or file. Throws `not_found` or `bad_input`. */
export function dictionaryFormatOf(path: string): ImportedFormat {
  const found = fileStatus(path);
  if (!found) throw new LazyscopeError('not_found', `'${path}' does not exist: check the path.`);
  const has = (name: string) =>
    found.isDirectory() ? existsSync(join(path, name)) : basename(path) === name;
  if (isLlamascopium(path)) return 'llamascopium';
  if (has('sae_weights.safetensors')) return 'saelens';
  if (has('sae.safetensors') && found.isDirectory() && has('cfg.json')) return 'sparsify';
  if (has('params.npz') || path.endsWith('.npz') || has('params.safetensors')) return 'gemma-scope';
  if (has('ae.pt') || path.endsWith('.pt')) return 'dictionary-learning';
  if (found.isDirectory() && sparsifyModules(path).length > 0) return 'sparsify';
  throw new LazyscopeError(
    'bad_input',
    `'${path}' holds no dictionary that can be read: give a folder of SAELens (sae_weights.safetensors), sparsify (sae.safetensors), Gemma Scope (params.npz), dictionary_learning (ae.pt) or Llamascopium (config.json with sae_weights.safetensors).`,
  );
}

/** What the person says of the files. */
export interface ImportOptions {
  /** By default told by the files. */
  format?: ImportedFormat | undefined;
  /** dictionary_learning's class, where the files don't name it or name one of which nothing is known. */
  class?: string | undefined;
  /** Which square matrices the file has the other way round than its format documents. */
  transposed?: Transposed | undefined;
}

/**
 * Reads another tool's dictionary from its folder or file; a format alone stands for the options. Throws `not_found`,
 * `bad_input` for what is no dictionary that can be used here, and `corrupt` for damaged files and numbers that are not
 * finite; the message names what it is.
 */
export async function importDictionary(
  path: string,
  asked: ImportedFormat | ImportOptions = {},
): Promise<ImportedDictionary> {
  const options: ImportOptions = typeof asked === 'string' ? { format: asked } : asked;
  const { format = dictionaryFormatOf(path), transposed, class: given } = options;
  if (given !== undefined && format !== 'dictionary-learning')
    throw new LazyscopeError(
      'bad_input',
      `--class is for dictionary_learning; '${path}' is of ${format}: leave it out.`,
    );
  const folder = fileStatus(path)?.isDirectory() ?? true;
  switch (format) {
    case 'saelens':
      return readSaelens(folder ? path : join(path, '..'), transposed);
    case 'sparsify':
      return readSparsify(folder ? sparsifyFolder(path) : join(path, '..'), transposed);
    case 'gemma-scope':
      return readGemmaScope(folder ? gemmaScopeFile(path) : path, transposed);
    case 'dictionary-learning':
      return readDictionaryLearning(path, given, transposed);
    case 'llamascopium':
      return readLlamascopium(path, transposed);
  }
}

function gemmaScopeFile(folder: string): string {
  const second = join(folder, 'params.safetensors');
  return existsSync(second) ? second : join(folder, 'params.npz');
}

/** A folder that holds one module's folder stands for it. */
function sparsifyFolder(folder: string): string {
  if (existsSync(join(folder, 'cfg.json'))) return folder;
  const modules = sparsifyModules(folder);
  if (modules.length === 1) return join(folder, modules[0]);
  throw new LazyscopeError(
    'bad_input',
    modules.length === 0
      ? `'${folder}' has no cfg.json, so it is no dictionary of sparsify: give the folder that has one.`
      : `'${folder}' holds the dictionaries of ${modules.length} modules: give one of ${modules.join(', ')}.`,
  );
}

const refusals: Record<DictionaryFormat, (weights: DictionaryWeights) => string | undefined> = {
  saelens: saelensRefusal,
  sparsify: sparsifyRefusal,
  'gemma-scope': gemmaScopeRefusal,
  'dictionary-learning': dictionaryLearningRefusal,
};

/** Writes the format's usual files into `folder`. Throws `bad_input` where the format can't hold such a dictionary, with those that can. */
export async function exportDictionary(
  folder: string,
  format: DictionaryFormat,
  weights: DictionaryWeights,
): Promise<void> {
  const refusal = refusals[format](weights);
  if (refusal !== undefined) {
    const others = dictionaryFormats.filter((other) => refusals[other](weights) === undefined);
    const remedy =
      others.length > 0
        ? `export to ${others.join(' or ')}`
        : 'no other format has it either, so give others the run itself (lazyscope store index)';
    throw new LazyscopeError('bad_input', `${refusal}: ${remedy}.`);
  }
  switch (format) {
    case 'saelens':
      return writeSaelens(folder, weights);
    case 'sparsify':
      return writeSparsify(folder, weights);
    case 'gemma-scope':
      return writeGemmaScope(join(folder, 'params.npz'), weights);
    case 'dictionary-learning':
      return writeDictionaryLearning(folder, weights);
  }
}
