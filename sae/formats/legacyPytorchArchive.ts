/**
 * A file of `torch.save` from before PyTorch 1.6: five pickles one after another (a magic number, the version, facts of the
 * machine, the object, and the keys of its storages), and for each key the number of its elements and its raw numbers.
 * (PyTorch's torch/serialization.py, `_legacy_save`.)
 */
import { closeSync, readSync } from 'node:fs';
import { LazyscopeError } from '../errors.ts';
import { openFile } from './openFile.ts';
import { readPickleAt, type Pickled, type PickleHost } from './pickle.ts';

/** The first pickle: protocol 2, and the magic number 0x1950a86a20f9469cfc6c as ten bytes. */
const beginning = Buffer.from('80028a0a6cfc9c46f9206aa85019', 'hex');
/** Descriptions of tensors take some hundred bytes each. */
const mostPickled = 64 << 20;

export interface LegacyArchive {
  /** Bytes [start, start + length) of the storage of this key. */
  readRange(key: string, start: number, length: number): Uint8Array<ArrayBuffer>;
}

/** What a persistent id has to stand for here. */
interface Stored {
  readonly type: { readonly bytes: number };
  readonly file: string;
  readonly count: number;
}

/** Null for a file that is none of these. Throws `not_found`, or `corrupt` for one that is damaged. */
export function openLegacyArchive(
  path: string,
  host: { construct: PickleHost['construct']; persistent(id: Pickled): Stored },
): { archive: LegacyArchive; state: Pickled } | null {
  const { fd, size } = openFile(path);
  const damaged = (why: string) =>
    new LazyscopeError('corrupt', `'${path}' is not a whole PyTorch file: ${why}; fetch it again.`);
  try {
    const magic = Buffer.alloc(beginning.length);
    if (readSync(fd, magic, 0, magic.length, 0) < magic.length || !magic.equals(beginning)) return null;
    const head = readBytes(fd, 0, Math.min(size, mostPickled), damaged);
    const storages = new Map<string, Stored>();
    const persistent = (id: Pickled) => {
      const stored = host.persistent(id);
      const before = storages.get(stored.file);
      if (before && (before.type !== stored.type || before.count !== stored.count))
        throw damaged(`storage ${stored.file} is described in two ways`);
      storages.set(stored.file, stored);
      return stored;
    };
    let end = 0;
    const next = () => {
      const pickle = readPickleAt(head, end, path, { construct: host.construct, persistent });
      end = pickle.end;
      return pickle.value;
    };
    next();
    if (next() !== 1001) throw damaged('it is of an unknown version');
    const machine = next();
    if (!(machine instanceof Map) || machine.get('little_endian') !== true)
      throw new LazyscopeError(
        'bad_input',
        `'${path}' was written in big-endian order, which can't be read.`,
      );
    const state = next();
    const keys = next();
    if (!Array.isArray(keys) || !keys.every((key) => typeof key === 'string' || Number.isSafeInteger(key)))
      throw damaged('it names no storages');
    const starts = new Map<string, number>();
    for (const key of keys.map(String)) {
      const stored = storages.get(key);
      const counted = Buffer.alloc(8);
      if (
        !stored ||
        readSync(fd, counted, 0, 8, end) !== 8 ||
        counted.readBigInt64LE(0) !== BigInt(stored.count)
      )
        throw damaged(`storage ${key} is not as it was described`);
      starts.set(key, end + 8);
      end += 8 + stored.count * stored.type.bytes;
    }
    if (end > size || starts.size !== storages.size) throw damaged('it ends early');
    const archive: LegacyArchive = {
      readRange(key, start, length) {
        const from = starts.get(key);
        if (from === undefined) throw damaged(`it has no storage ${key}`);
        const { fd: again } = openFile(path);
        try {
          return readBytes(again, from + start, length, damaged);
        } finally {
          closeSync(again);
        }
      },
    };
    return { archive, state };
  } finally {
    closeSync(fd);
  }
}

function readBytes(
  fd: number,
  position: number,
  length: number,
  damaged: (why: string) => Error,
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length;) {
    const read = readSync(fd, bytes, at, Math.min(length - at, 1 << 30), position + at);
    if (read === 0) throw damaged('it ends early');
    at += read;
  }
  return bytes;
}
