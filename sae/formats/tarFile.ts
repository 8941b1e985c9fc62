/** Tar archives that fit in memory, such as npm's packages: POSIX ustar (IEEE 1003.1), regular files only. */
import { LazyscopeError } from '../errors.ts';

const block = 512;

/**
 * The regular files of an unpacked archive by name; `path` is named in errors. Throws `corrupt` for what is damaged, ends early, or has
 * names that need a later extension of the format.
 */
export function readTar(bytes: Uint8Array, path: string): Map<string, Uint8Array> {
  const damaged = (why: string) =>
    new LazyscopeError('corrupt', `'${path}' is not a whole tar archive: ${why}; fetch it again.`);
  const files = new Map<string, Uint8Array>();
  for (let at = 0; ;) {
    if (at + block > bytes.length) throw damaged('it has no end');
    const header = bytes.subarray(at, at + block);
    if (header.every((byte) => byte === 0)) return files;
    const text = (start: number, length: number) =>
      Buffer.from(header.subarray(start, start + length))
        .toString('latin1')
        .split('\0', 1)[0];
    const octal = (start: number, length: number) => {
      const digits = text(start, length).trim();
      if (!/^[0-7]+$/.test(digits)) throw damaged('a header is damaged');
      return Number.parseInt(digits, 8);
    };
    // The checksum's own place counts as eight spaces.
    const sum = header.reduce((all, byte, i) => all + (i >= 148 && i < 156 ? 32 : byte), 0);
    if (sum !== octal(148, 8) || text(257, 5) !== 'ustar') throw damaged('a header is damaged');
    const size = octal(124, 12);
    const prefix = text(345, 155);
    const name = prefix ? `${prefix}/${text(0, 100)}` : text(0, 100);
    const start = at + block;
    if (start + size > bytes.length) throw damaged(`it ends within '${name}'`);
    const content = bytes.subarray(start, start + size);
    const kind = text(156, 1);
    if (kind === '0' || kind === '') files.set(name, content);
    else if (kind === 'x' || kind === 'g') {
      if (Buffer.from(content).toString('latin1').includes(' path=')) throw damaged('a name is too long');
    } else if (kind !== '5') throw damaged(`'${name}' is neither a file nor a folder`);
    at = start + Math.ceil(size / block) * block;
  }
}
