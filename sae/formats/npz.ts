/** NumPy's .npz: a zip of .npy files, as `numpy.savez` (stored) and `savez_compressed` (deflated) write it. */
import { decodeNpy, npyPieces, type NumpyArray } from './npy.ts';
import { writeStoredZip } from './writeStoredZip.ts';
import { openZip, type ZipFile } from './zipFile.ts';

export class NpzFile {
  readonly #zip: ZipFile;

  constructor(zip: ZipFile) {
    this.#zip = zip;
  }

  get names(): string[] {
    return this.#zip.names.filter((name) => name.endsWith('.npy')).map((name) => name.slice(0, -4));
  }

  /** The array, read when it is asked for. Throws `corrupt` naming the file. */
  array(name: string): NumpyArray {
    return decodeNpy(this.#zip.read(`${name}.npy`), `${this.#zip.path}/${name}.npy`);
  }
}

/** Reads the directory, and arrays as they are asked for. Throws `not_found`, or `corrupt` naming the file. */
export function openNpz(path: string): NpzFile {
  return new NpzFile(openZip(path));
}

/** All arrays by name. Throws `not_found`, or `corrupt` naming the file. */
export async function readNpz(path: string): Promise<Map<string, NumpyArray>> {
  const file = openNpz(path);
  return new Map(file.names.map((name) => [name, file.array(name)]));
}

/** Writes atomically, whatever the size. */
export async function writeNpz(path: string, arrays: Readonly<Record<string, NumpyArray>>): Promise<void> {
  const files = Object.entries(arrays).map(([name, array]) => [`${name}.npy`, npyPieces(array)] as const);
  await writeStoredZip(path, Object.fromEntries(files));
}
