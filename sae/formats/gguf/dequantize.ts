/**
 * GGUF's blocks of quantised weights as float32, to the bit of ggml's own arithmetic: each product and each sum is
 * rounded to float32 (`Math.fround`), in ggml's order. (ggml-quants.c, `dequantize_row_*`.)
 *
 * d and m are a block's scale and minimum; in the K formats a block of 256 has 8 or 16 groups with scales of their own.
 */
import { float16Table } from '../float16.ts';
import { blockLayout } from './ggufTypes.ts';
import type { GgufType } from './ggufTypes.ts';

type Decode = (bytes: Uint8Array, blocks: number, out: Float32Array, f16: Float32Array) => void;

const round = Math.fround;

/** Whole blocks to values. Throws a RangeError when the lengths don't fit together, which is the caller's mistake. */
export function dequantize(type: GgufType, bytes: Uint8Array, out: Float32Array): void {
  const layout = blockLayout(type);
  const blocks = bytes.length / layout.bytes;
  if (!Number.isInteger(blocks) || out.length !== blocks * layout.values)
    throw new RangeError(`${bytes.length} bytes of ${type} are not ${out.length} values.`);
  decoders[type](bytes, blocks, out, float16Table());
}

const half = (bytes: Uint8Array, at: number, f16: Float32Array) => f16[bytes[at] | (bytes[at + 1] << 8)];

/** Four bits a value and 16 values a half: low halves of the bytes first, then high halves. */
function fourBits(withMinimum: boolean): Decode {
  const header = withMinimum ? 4 : 2;
  return (bytes, blocks, out, f16) => {
    for (let b = 0, at = 0, to = 0; b < blocks; b++, at += header + 16, to += 32) {
      const d = half(bytes, at, f16);
      const m = withMinimum ? half(bytes, at + 2, f16) : 0;
      for (let i = 0; i < 16; i++) {
        const byte = bytes[at + header + i];
        if (withMinimum) {
          out[to + i] = round(d * (byte & 15)) + m;
          out[to + i + 16] = round(d * (byte >> 4)) + m;
        } else {
          out[to + i] = d * ((byte & 15) - 8);
          out[to + i + 16] = d * ((byte >> 4) - 8);
        }
      }
    }
  };
}

/** As fourBits, with the fifth bits of all 32 values in one word. */
function fiveBits(withMinimum: boolean): Decode {
  const header = withMinimum ? 4 : 2;
  return (bytes, blocks, out, f16) => {
    for (let b = 0, at = 0, to = 0; b < blocks; b++, at += header + 20, to += 32) {
      const d = half(bytes, at, f16);
      const m = withMinimum ? half(bytes, at + 2, f16) : 0;
      const word = at + header;
      const high = bytes[word] | (bytes[word + 1] << 8) | (bytes[word + 2] << 16) | (bytes[word + 3] << 24);
      for (let i = 0; i < 16; i++) {
        const byte = bytes[word + 4 + i];
        const low = (byte & 15) | (((high >>> i) & 1) << 4);
        const upper = (byte >> 4) | (((high >>> (i + 16)) & 1) << 4);
        if (withMinimum) {
          out[to + i] = round(d * low) + m;
          out[to + i + 16] = round(d * upper) + m;
        } else {
          out[to + i] = d * (low - 16);
          out[to + i + 16] = d * (upper - 16);
        }
      }
    }
  };
}

/** Scale and minimum of group `j` of 8, six bits each, packed in 12 bytes at `at`. */
const groupScale = (bytes: Uint8Array, at: number, j: number) =>
  j < 4 ? bytes[at + j] & 63 : (bytes[at + j + 4] & 15) | ((bytes[at + j - 4] >> 6) << 4);
const groupMinimum = (bytes: Uint8Array, at: number, j: number) =>
  j < 4 ? bytes[at + j + 4] & 63 : (bytes[at + j + 4] >> 4) | ((bytes[at + j] >> 6) << 4);

const decoders: Record<GgufType, Decode> = {
  F32: (bytes, blocks, out) => {
    new Uint8Array(out.buffer, out.byteOffset, blocks * 4).set(bytes);
  },
  F16: (bytes, blocks, out, f16) => {
    for (let i = 0; i < blocks; i++) out[i] = half(bytes, 2 * i, f16);
  },
  BF16: (bytes, blocks, out) => {
    const words = new Uint32Array(out.buffer, out.byteOffset, blocks);
    for (let i = 0; i < blocks; i++) words[i] = (bytes[2 * i] << 16) | (bytes[2 * i + 1] << 24);
  },
  Q4_0: fourBits(false),
  Q4_1: fourBits(true),
  Q5_0: fiveBits(false),
  Q5_1: fiveBits(true),
  Q8_0: (bytes, blocks, out, f16) => {
    for (let b = 0, at = 0, to = 0; b < blocks; b++, at += 34, to += 32) {
      const d = half(bytes, at, f16);
      for (let i = 0; i < 32; i++) out[to + i] = d * ((bytes[at + 2 + i] << 24) >> 24);
    }
  },
  Q2_K: (bytes, blocks, out, f16) => {
    for (let b = 0, at = 0, to = 0; b < blocks; b++, at += 84, to += 256) {
      const d = half(bytes, at + 80, f16);
      const minimum = half(bytes, at + 82, f16);
      for (let group = 0; group < 16; group++) {
        const scale = bytes[at + group];
        const dl = round(d * (scale & 15));
        const ml = round(minimum * (scale >> 4));
        // Groups 0 to 7 share the first 32 bytes, two bits of each byte a pair of groups.
        const from = at + 16 + (group >> 3) * 32 + (group & 1) * 16;
        const shift = ((group >> 1) & 3) * 2;
        for (let i = 0; i < 16; i++)
          out[to + group * 16 + i] = round(dl * ((bytes[from + i] >> shift) & 3)) - ml;
      }
    }
  },
  Q3_K: (bytes, blocks, out, f16) => {
    for (let b = 0, at = 0, to = 0; b < blocks; b++, at += 110, to += 256) {
      const d = half(bytes, at + 108, f16);
      for (let group = 0; group < 16; group++) {
        const low = group < 8 ? bytes[at + 96 + group] & 15 : bytes[at + 96 + group - 8] >> 4;
        const upper = (bytes[at + 104 + (group & 3)] >> ((group >> 2) * 2)) & 3;
        const dl = round(d * ((low | (upper << 4)) - 32));
        const lane = (group & 1) * 16;
        const from = at + 32 + (group >> 3) * 32 + lane;
        const shift = ((group >> 1) & 3) * 2;
        // The third bit is stored inverted: 1 means that nothing is taken off.
        const bit = group >> 1;
        for (let i = 0; i < 16; i++) {
          const above = (bytes[at + lane + i] >> bit) & 1;
          out[to + group * 16 + i] = dl * (((bytes[from + i] >> shift) & 3) - (above ? 0 : 4));
        }
      }
    }
  },
  Q4_K: (bytes, blocks, out, f16) => {
    for (let b = 0, at = 0, to = 0; b < blocks; b++, at += 144, to += 256) {
      const d = half(bytes, at, f16);
      const minimum = half(bytes, at + 2, f16);
      for (let group = 0; group < 8; group++) {
        const dl = round(d * groupScale(bytes, at + 4, group));
        const ml = round(minimum * groupMinimum(bytes, at + 4, group));
        const from = at + 16 + (group >> 1) * 32;
        const shift = (group & 1) * 4;
        for (let i = 0; i < 32; i++)
          out[to + group * 32 + i] = round(dl * ((bytes[from + i] >> shift) & 15)) - ml;
      }
    }
  },
  Q5_K: (bytes, blocks, out, f16) => {
    for (let b = 0, at = 0, to = 0; b < blocks; b++, at += 176, to += 256) {
      const d = half(bytes, at, f16);
      const minimum = half(bytes, at + 2, f16);
      for (let group = 0; group < 8; group++) {
        const dl = round(d * groupScale(bytes, at + 4, group));
        const ml = round(minimum * groupMinimum(bytes, at + 4, group));
        const from = at + 48 + (group >> 1) * 32;
        const shift = (group & 1) * 4;
        for (let i = 0; i < 32; i++) {
          const value = ((bytes[from + i] >> shift) & 15) | (((bytes[at + 16 + i] >> group) & 1) << 4);
          out[to + group * 32 + i] = round(dl * value) - ml;
        }
      }
    }
  },
  Q6_K: (bytes, blocks, out, f16) => {
    for (let b = 0, at = 0, to = 0; b < blocks; b++, at += 210, to += 256) {
      const d = half(bytes, at + 208, f16);
      for (let group = 0; group < 16; group++) {
        const dl = round(d * ((bytes[at + 192 + group] << 24) >> 24));
        const halfBlock = group >> 3;
        const quarter = (group >> 1) & 3;
        const lane = (group & 1) * 16;
        const low = at + halfBlock * 64 + (quarter & 1) * 32 + lane;
        const lowShift = (quarter >> 1) * 4;
        const upper = at + 128 + halfBlock * 32 + lane;
        const upperShift = quarter * 2;
        for (let i = 0; i < 16; i++) {
          const value = ((bytes[low + i] >> lowShift) & 15) | (((bytes[upper + i] >> upperShift) & 3) << 4);
          out[to + group * 16 + i] = dl * (value - 32);
        }
      }
    }
  },
};
