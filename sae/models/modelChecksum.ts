/** One checksum for everything in a model's folder, or its one file, that changes its activations. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { LazyscopeError } from '../errors.ts';
import { bringInFolder } from '../store/remote/bringIn.ts';

const matters = /^(config\.json|tokenizer\.json|.*\.safetensors|pytorch_model.*\.bin)$/;

/**
 * SHA-256 of the names and contents of config.json, tokenizer.json and the weight files, in the order of their names; of a
 * GGUF file, of its content, whatever it is called.
 */
export async function modelChecksum(path: string): Promise<string> {
  await bringInFolder(path);
  const hash = createHash('sha256');
  const add = async (file: string) => {
    for await (const bytes of createReadStream(file)) hash.update(bytes);
  };
  let names: string[];
  try {
    if ((await stat(path)).isFile()) {
      await add(path);
      return hash.digest('hex');
    }
    names = (await readdir(path)).filter((name) => matters.test(name)).sort();
  } catch (error) {
    throw new LazyscopeError('not_found', `The model '${path}' can't be read: check the path.`, {
      cause: error,
    });
  }
  if (names.length === 0)
    throw new LazyscopeError('not_found', `'${path}' holds no model: it needs config.json and weights.`);
  for (const name of names) {
    hash.update(`${name}\0`);
    await add(join(path, name));
  }
  return hash.digest('hex');
}
