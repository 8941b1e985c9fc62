/** One checksum for everything in a model's folder that changes its activations. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { LazyscopeError } from '../errors.ts';

const matters = /^(config\.json|tokenizer\.json|.*\.safetensors)$/;

/** SHA-256 of the names and contents of config.json, tokenizer.json and the weight files, in the order of their names. */
export async function modelChecksum(folder: string): Promise<string> {
  let names: string[];
  try {
    names = (await readdir(folder)).filter((name) => matters.test(name)).sort();
  } catch (error) {
    throw new LazyscopeError('not_found', `The model's folder '${folder}' can't be read: check the path.`, {
      cause: error,
    });
  }
  if (names.length === 0)
    throw new LazyscopeError(
      'not_found',
      `'${folder}' holds no model: it needs config.json and *.safetensors.`,
    );
  const hash = createHash('sha256');
  for (const name of names) {
    hash.update(`${name}\0`);
    for await (const bytes of createReadStream(join(folder, name))) hash.update(bytes);
  }
  return hash.digest('hex');
}
