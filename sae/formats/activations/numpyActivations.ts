/** Activations in .npy and .npz files, read by ranges. Of a compressed .npz, each array that is read is in memory as a whole. */
import { closeSync, readSync } from 'node:fs';
import { basename } from 'node:path';
import { LazyscopeError } from '../../errors.ts';
import { longestNpyHeader, readNpyHeader } from '../npy.ts';
import { openFile } from '../openFile.ts';
import { openZip } from '../zipFile.ts';
import type { ActivationReader } from './activationSource.ts';
import { arrayActivations, type StoredArray } from './arrayActivations.ts';
import { numpyType } from './storedNumbers.ts';

/** The one array of a .npy file, called by the file's name without its ending. Throws `corrupt`, `bad_input`. */
export function npyActivations(path: string): ActivationReader {
  const { fd, size } = openFile(path);
  closeSync(fd);
  const read = (start: number, length: number) => readRange(path, start, length);
  const array = storedArray(path, basename(path).replace(/\.npy$/, ''), size, read);
  return arrayActivations(path, array ? [array] : []);
}

/** Throws as `openZip`, and `corrupt` and `bad_input` for an array in it. */
export function npzActivations(path: string): ActivationReader {
  const zip = openZip(path);
  const arrays = zip.names.flatMap((name): StoredArray[] => {
    if (!name.endsWith('.npy')) return [];
    // The archive unpacks an array anew each time unless it is the one that was read last.
    let unpacked: Uint8Array<ArrayBuffer> | undefined;
    const read = (start: number, length: number) => {
      if (zip.isStored(name)) return zip.readRange(name, start, length);
      unpacked ??= zip.read(name);
      return unpacked.slice(start, start + length);
    };
    const array = storedArray(`${path}/${name}`, name.slice(0, -4), zip.size(name) ?? 0, read);
    return array ? [array] : [];
  });
  return arrayActivations(path, arrays);
}

function storedArray(
  path: string,
  name: string,
  size: number,
  read: (start: number, length: number) => Uint8Array<ArrayBuffer>,
): StoredArray | undefined {
  const header = readNpyHeader(read(0, Math.min(size, longestNpyHeader)), path);
  const type = numpyType(header.descriptor);
  // Texts and numbers of other types may stand beside what is read.
  if (!type) return undefined;
  const numbers = header.shape.reduce((product, n) => product * n, 1);
  if (header.fortran && header.shape.length > 1)
    throw new LazyscopeError(
      'bad_input',
      `'${path}' is stored column by column: save numpy.ascontiguousarray(array).`,
    );
  if (size - header.end !== numbers * type.bytes)
    throw new LazyscopeError(
      'corrupt',
      `'${path}' is not a whole NumPy array: its shape is (${header.shape.join(', ')}) but it has ${size - header.end} bytes; save it again.`,
    );
  return {
    name,
    type,
    shape: header.shape,
    // Copied by `slice` of the typed array where it is a view, because numbers must begin at a multiple of their size.
    read: (from, count) => {
      const bytes = read(header.end + from * type.bytes, count * type.bytes);
      return bytes.byteOffset === 0 && bytes.byteLength === bytes.buffer.byteLength
        ? bytes.buffer
        : bytes.slice().buffer;
    },
  };
}

function readRange(path: string, start: number, length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  const { fd } = openFile(path);
  try {
    for (let at = 0; at < length;) {
      const read = readSync(fd, bytes, at, Math.min(length - at, 1 << 30), start + at);
      if (read === 0) throw new LazyscopeError('corrupt', `'${path}' ends early: save it again.`);
      at += read;
    }
    return bytes;
  } finally {
    closeSync(fd);
  }
}
