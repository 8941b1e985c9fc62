import { readSafetensors } from '../safetensors.ts';
import type { ActivationReader } from './activationSource.ts';
import { arrayActivations, type StoredArray } from './arrayActivations.ts';
import { safetensorsType } from './storedNumbers.ts';

/** Throws as `readSafetensors`. Tensors of types that can't be activations or tokens are left out. */
export async function safetensorsActivations(path: string): Promise<ActivationReader> {
  const file = await readSafetensors(path);
  const arrays = file.names.flatMap((name): StoredArray[] => {
    const type = safetensorsType(file.dtype(name));
    if (!type) return [];
    const read = (from: number, count: number) => file.bytes(name, from * type.bytes, count * type.bytes);
    return [{ name, type, shape: file.shape(name), read }];
  });
  return arrayActivations(path, arrays);
}
