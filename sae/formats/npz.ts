/** NumPy's .npz: a zip of .npy files, as `numpy.savez` (stored) and `savez_compressed` (deflated) write it. */
import { zipSync, type Zippable } from 'fflate';
import { writeFileAtomic } from '../store/atomicWrite.ts';
import { decodeNpy, encodeNpy, type NumpyArray } from './npy.ts';
import { openZip } from './zipFile.ts';

/** Arrays by name. Throws `not_found`, or `corrupt` naming the file. */
export async function readNpz(path: string): Promise<Map<string, NumpyArray>> {
  const zip = openZip(path);
  return new Map(
    zip.names
      .filter((name) => name.endsWith('.npy'))
      .map((name) => [name.slice(0, -4), decodeNpy(zip.read(name), `${path}/${name}`)]),
  );
}

export async function writeNpz(path: string, arrays: Readonly<Record<string, NumpyArray>>): Promise<void> {
  const files: Zippable = {};
  for (const [name, array] of Object.entries(arrays)) files[`${name}.npy`] = [encodeNpy(array), { level: 0 }];
  await writeFileAtomic(path, zipSync(files));
}
