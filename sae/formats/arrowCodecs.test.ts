import { describe, expect, it } from 'vitest';
import { unpackLz4Frame } from './arrowCodecs.ts';

/** A frame of these blocks, without checksums; a block of literals alone is stored as it is where `stored` says so. */
function frame(blocks: readonly { bytes: readonly number[]; stored?: boolean }[]): Uint8Array {
  const out = [0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0];
  for (const { bytes, stored = false } of blocks)
    out.push(bytes.length & 255, bytes.length >> 8, 0, stored ? 0x80 : 0, ...bytes);
  return Uint8Array.from([...out, 0, 0, 0, 0]);
}

describe('LZ4 frames', () => {
  it('copies overlap themselves, lengths go on, and later blocks reach into earlier ones', () => {
    // "ab", then 15 + 4 + 3 bytes from 2 back, then the literal "c".
    const first = [0x2f, 97, 98, 2, 0, 3, 0x10, 99];
    // 4 bytes from 23 back, across the border of the blocks, then "d".
    const second = [0x00, 23, 0, 0x10, 100];
    const text = `${'ab'.repeat(12)}c`;
    const expected = `${text}${text.slice(2, 6)}d`;
    const found = unpackLz4Frame(frame([{ bytes: first }, { bytes: second }]), expected.length);
    expect(Buffer.from(found).toString()).toBe(expected);
  });

  it('takes blocks that are stored as they are', () => {
    expect([...unpackLz4Frame(frame([{ bytes: [1, 2, 3], stored: true }]), 3)]).toEqual([1, 2, 3]);
  });

  it.each([
    ['a copy from before the beginning', [0x10, 97, 5, 0, 0x10, 98], 100],
    ['more than was said', [0x2f, 97, 98, 2, 0, 3, 0x10, 99], 10],
    ['literals beyond the block', [0xf0, 200, 97], 500],
    ['an end within a distance', [0x10, 97, 1], 100],
  ])('%s is refused', (_, bytes, length) => {
    expect(() => unpackLz4Frame(frame([{ bytes }]), length)).toThrow(RangeError);
  });

  it('what is cut short is refused', () => {
    const whole = frame([{ bytes: [0x10, 97] }]);
    for (const size of [3, 6, 9, 12])
      expect(() => unpackLz4Frame(whole.subarray(0, size), 1)).toThrow(RangeError);
  });
});
