/** What a file holds, by its first bytes: a name can say anything. */

/** Kinds that hold text, or what text can be unpacked from. */
export type FileKind = 'plain' | Compression | 'parquet' | 'arrow file' | 'arrow stream';
export type Compression = 'gzip' | 'xz' | 'zstd';

/** Bytes from the beginning of a file that tell its kind. */
export const headBytes = 512;

const signatures: readonly (readonly [kind: FileKind, bytes: readonly number[]])[] = [
  ['gzip', [0x1f, 0x8b]],
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
  ['parquet', ascii('PAR1')],
  ['arrow file', ascii('ARROW1')],
  ['arrow stream', [0xff, 0xff, 0xff, 0xff]],
];

/** Known kinds that are not read, with what to do about them. */
const unreadable: readonly (readonly [what: string, remedy: string, bytes: readonly number[], at?: number])[] = [
  ['a zip archive', 'unpack it and give the folder', [0x50, 0x4b, 0x03, 0x04]],
  ['a tar archive', 'unpack it and give the folder', ascii('ustar'), 257],
  ['a 7z archive', 'unpack it and give the folder', [0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c]],
  ['bzip2', 'unpack it, or compress it with gzip, xz or zstd', ascii('BZh')],
  ['LZ4', 'unpack it, or compress it with gzip, xz or zstd', [0x04, 0x22, 0x4d, 0x18]],
  ['encrypted Parquet', 'write it without encryption', ascii('PARE')],
  ['Feather in its first version', 'write it as Arrow IPC', ascii('FEA1')],
  ['a PDF document', 'convert it to text', ascii('%PDF-')],
  ['a Git LFS pointer rather than the data', "fetch the data with 'git lfs pull'", ascii('version https://git-lfs')],
]; // prettier-ignore

export function fileKind(head: Uint8Array): FileKind {
  // Any of sixteen marks begins what zstd calls a skippable frame.
  if (head[0] >> 4 === 5 && begins(head.subarray(1), [0x2a, 0x4d, 0x18])) return 'zstd';
  return signatures.find(([, bytes]) => begins(head, bytes))?.[0] ?? 'plain';
}

/** What a file is that can't be read, and the remedy; undefined where nothing speaks against it. */
export function unreadableKind(head: Uint8Array): { what: string; remedy: string } | undefined {
  const found = unreadable.find(([, , bytes, at = 0]) => begins(head.subarray(at), bytes));
  return found && { what: found[0], remedy: found[1] };
}

function begins(head: Uint8Array, bytes: readonly number[]): boolean {
  return head.length >= bytes.length && bytes.every((byte, i) => head[i] === byte);
}

function ascii(text: string): number[] {
  return Array.from(text, (character) => character.charCodeAt(0));
}
