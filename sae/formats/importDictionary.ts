/** Dictionaries of other tools, told apart by the files they come in. */
import { existsSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { LazyscopeError } from '../errors.ts';
import { readDictionaryLearning, writeDictionaryLearning } from './dictionaryLearning.ts';
import type { DictionaryWeights } from './dictionaryWeights.ts';
import { readGemmaScope, writeGemmaScope } from './gemmaScope.ts';
import { readSaelens, writeSaelens } from './saelens.ts';
import { readSparsify, writeSparsify } from './sparsify.ts';

/** The tools whose dictionaries can be read and written. */
export const dictionaryFormats = ['saelens', 'sparsify', 'gemma-scope', 'dictionary-learning'] as const;
/** One of `dictionaryFormats`. */
export type DictionaryFormat = (typeof dictionaryFormats)[number];

/** Which tool wrote the folder or file. Throws `not_found` or `bad_input`. */
export function dictionaryFormatOf(path: string): DictionaryFormat {
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found) throw new LazyscopeError('not_found', `'${path}' does not exist: check the path.`);
  const has = (name: string) =>
    found.isDirectory() ? existsSync(join(path, name)) : basename(path) === name;
  if (has('sae_weights.safetensors')) return 'saelens';
  if (has('sae.safetensors') && found.isDirectory() && has('cfg.json')) return 'sparsify';
  if (has('params.npz') || path.endsWith('.npz')) return 'gemma-scope';
  if (has('ae.pt') || path.endsWith('.pt')) return 'dictionary-learning';
  throw new LazyscopeError(
    'bad_input',
    `'${path}' holds no dictionary that can be read: give a folder of SAELens (sae_weights.safetensors), sparsify (sae.safetensors), Gemma Scope (params.npz) or dictionary_learning (ae.pt).`,
  );
}

/** Reads another tool's dictionary from its folder or file. Throws `not_found` or `bad_input` for what is not one, `corrupt` for a damaged one. */
export async function importDictionary(
  path: string,
  format = dictionaryFormatOf(path),
): Promise<DictionaryWeights> {
  const folder = statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? true;
  switch (format) {
    case 'saelens':
      return readSaelens(folder ? path : join(path, '..'));
    case 'sparsify':
      return readSparsify(folder ? path : join(path, '..'));
    case 'gemma-scope':
      return readGemmaScope(folder ? join(path, 'params.npz') : path);
    case 'dictionary-learning':
      return readDictionaryLearning(path);
  }
}

/** Writes the format's usual files into `folder`. Throws `bad_input` where the format has no such architecture. */
export async function exportDictionary(
  folder: string,
  format: DictionaryFormat,
  weights: DictionaryWeights,
): Promise<void> {
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
