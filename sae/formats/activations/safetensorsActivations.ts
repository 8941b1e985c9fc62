import { LazyscopeError } from '../../errors.ts';
import { readSafetensors } from '../safetensors.ts';
import type { ActivationReader } from './activationSource.ts';
import { arrayActivations, type StoredArray } from './arrayActivations.ts';
import { safetensorsType } from './storedNumbers.ts';

/** Throws as `readSafetensors`, and `bad_input` for a cache of latents. Tensors of types that can't be activations or tokens are left out. */
export async function safetensorsActivations(path: string): Promise<ActivationReader> {
  const file = await readSafetensors(path);
  if (file.has('locations') && file.has('activations'))
    throw new LazyscopeError(
      'bad_input',
      `'${path}' is a latent cache of delphi's: it says where latents of a dictionary fire, and not what activations they were computed from. Give the activations, and bring the dictionary in with 'lazyscope import'.`,
    );
  const arrays = file.names.flatMap((name): StoredArray[] => {
    const type = safetensorsType(file.dtype(name));
    if (!type) return [];
    const read = (from: number, count: number) => file.bytes(name, from * type.bytes, count * type.bytes);
    return [{ name, type, shape: file.shape(name), read }];
  });
  return arrayActivations(path, arrays);
}
