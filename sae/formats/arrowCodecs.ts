/**
 * How the buffers of Arrow IPC files are unpacked: LZ4 frames, which Feather writes by default, and zstd. apache-arrow has a place for
 * codecs and brings none.
 */
import { CompressionType, compressionRegistry } from 'apache-arrow';
import { ZSTDDecoder } from 'zstddec';

/** Bytes of one buffer when it is unpacked. */
const mostBytes = 2 ** 30;

let registered: Promise<void> | undefined;

/** Lets apache-arrow read files whose buffers are compressed. */
export function registerArrowCodecs(): Promise<void> {
  registered ??= (async () => {
    const zstd = new ZSTDDecoder();
    await zstd.init();
    compressionRegistry.set(CompressionType.ZSTD, {
      decode(bytes) {
        const length = unpackedLength(bytes);
        return ofLength(zstd.decode(bytes, length), length);
      },
    });
    compressionRegistry.set(CompressionType.LZ4_FRAME, {
      decode(bytes) {
        const length = unpackedLength(bytes);
        return ofLength(unpackLz4Frame(bytes, length), length);
      },
    });
  })();
  return registered;
}

/** Arrow says before each compressed buffer how many bytes it has unpacked; apache-arrow doesn't pass that on. */
function unpackedLength({ buffer, byteOffset }: Uint8Array): number {
  const length = Number(new DataView(buffer, byteOffset - 8, 8).getBigInt64(0, true));
  if (length < 0 || length > mostBytes) throw new RangeError(`A buffer claims ${length} bytes.`);
  return length;
}

function ofLength(bytes: Uint8Array, length: number): Uint8Array {
  if (bytes.length !== length) throw new RangeError(`A buffer of ${length} bytes has ${bytes.length}.`);
  return bytes;
}

const magic = 0x184d2204;

/**
 * The content of one LZ4 frame of a known length (github.com/lz4/lz4, doc/lz4_Frame_format.md and lz4_Block_format.md). Throws RangeError for
 * one that is broken. Checksums, which Arrow's writers leave out, are not compared.
 */
export function unpackLz4Frame(packed: Uint8Array, length: number): Uint8Array {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  if (view.getUint32(0, true) !== magic) throw new RangeError('A buffer is no LZ4 frame.');
  const flags = view.getUint8(4);
  if (flags >> 6 !== 1) throw new RangeError('A buffer is an LZ4 frame of an unknown version.');
  const hasBlockChecksum = (flags & 0x10) !== 0;
  const hasContentSize = (flags & 0x08) !== 0;
  if ((flags & 0x01) !== 0) throw new RangeError('A buffer is an LZ4 frame with a dictionary.');
  const out = new Uint8Array(length);
  let at = 7 + (hasContentSize ? 8 : 0);
  let end = 0;
  for (;;) {
    const size = view.getUint32(at, true);
    at += 4;
    if (size === 0) break;
    const bytes = size & 0x7fffffff;
    const block = packed.subarray(at, at + bytes);
    if (block.length < bytes) throw new RangeError('An LZ4 block is cut short.');
    if (size >>> 31) {
      if (end + bytes > length) throw new RangeError('An LZ4 frame is longer than it says.');
      out.set(block, end);
      end += bytes;
    } else end = unpackBlock(block, out, end);
    at += bytes + (hasBlockChecksum ? 4 : 0);
  }
  return out.subarray(0, end);
}

/** Writes the content of one block into `out` from `start` on, where earlier blocks end. Returns where it ends. */
function unpackBlock(block: Uint8Array, out: Uint8Array, start: number): number {
  let at = 0;
  let end = start;
  const longer = (length: number) => {
    let sum = length;
    if (length === 15)
      for (let more = 255; more === 255; at++) {
        if (at >= block.length) throw new RangeError('An LZ4 block is cut short.');
        more = block[at];
        sum += more;
      }
    return sum;
  };
  while (at < block.length) {
    const token = block[at++];
    const literals = longer(token >> 4);
    if (at + literals > block.length || end + literals > out.length)
      throw new RangeError('An LZ4 block is broken.');
    out.set(block.subarray(at, at + literals), end);
    at += literals;
    end += literals;
    // The last sequence has literals alone.
    if (at === block.length) break;
    if (at + 2 > block.length) throw new RangeError('An LZ4 block is cut short.');
    const distance = block[at] | (block[at + 1] << 8);
    at += 2;
    const length = longer(token & 15) + 4;
    if (distance === 0 || distance > end || end + length > out.length)
      throw new RangeError('An LZ4 block is broken.');
    // What is copied may overlap itself.
    for (let i = 0; i < length; i++, end++) out[end] = out[end - distance];
  }
  return end;
}
