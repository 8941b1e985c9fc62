// Weights in the format of their file, widened where they are used: half precision, bfloat16 and GGUF's quantised blocks.
//
// Widening is to the bit what sae/formats/gguf/dequantize.ts does, which says where the layouts are from: every product and every sum is
// rounded, so that nothing here may be contracted to a fused multiply-add.
#include "prelude.cuh"

// In the order of storedFormats in sae/ops/storedTensor.ts.
enum Format { F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K };

__device__ inline unsigned word16(const unsigned char* at) { return at[0] | (unsigned)at[1] << 8; }
__device__ inline unsigned word32(const unsigned char* at) { return word16(at) | word16(at + 2) << 16; }

__device__ inline float half(const unsigned char* at) {
  const unsigned bits = word16(at);
  const unsigned sign = (bits & 0x8000u) << 16, exponent = (bits >> 10) & 31u, fraction = bits & 0x3ffu;
  if (exponent == 31u) return __uint_as_float(sign | 0x7f800000u | fraction << 13);
  if (exponent != 0u) return __uint_as_float(sign | (exponent + 112u) << 23 | fraction << 13);
  const float small = (float)fraction * 5.9604644775390625e-8f;  // 2⁻²⁴
  return sign ? -small : small;
}

__device__ inline float scaled(float scale, int value) { return __fmul_rn(scale, (float)value); }

// The scale and the minimum of a group of Q4_K and Q5_K, of six bits each.
__device__ inline int groupScale(const unsigned char* s, int j) { return j < 4 ? s[j] & 63 : (s[j + 4] & 15) | (s[j - 4] >> 6) << 4; }
__device__ inline int groupMinimum(const unsigned char* s, int j) { return j < 4 ? s[j + 4] & 63 : (s[j + 4] >> 4) | (s[j] >> 6) << 4; }

// Value i of a block b of 32 values with four bits each, or five where `fifths` points to the word of the fifth bits.
__device__ inline int nibble(const unsigned char* q, const unsigned char* fifths, int i) {
  const int low = i < 16 ? q[i] & 15 : q[i - 16] >> 4;
  return fifths ? low | (int)((word32(fifths) >> i) & 1u) << 4 : low;
}

// Value i of the block at b.
__device__ inline float valueAt(int format, const unsigned char* b, int i) {
  switch (format) {
    case F32: return __uint_as_float(word32(b));
    case F16: return half(b);
    case BF16: return fromBfloat16((unsigned short)word16(b));
    case Q4_0: return scaled(half(b), nibble(b + 2, nullptr, i) - 8);
    case Q4_1: return __fadd_rn(scaled(half(b), nibble(b + 4, nullptr, i)), half(b + 2));
    case Q5_0: return scaled(half(b), nibble(b + 6, b + 2, i) - 16);
    case Q5_1: return __fadd_rn(scaled(half(b), nibble(b + 8, b + 4, i)), half(b + 2));
    case Q8_0: return scaled(half(b), (signed char)b[2 + i]);
    case Q2_K: {
      const int group = i / 16, within = i % 16, shift = ((group >> 1) & 3) * 2;
      const int q = b[16 + (group >> 3) * 32 + (group & 1) * 16 + within] >> shift & 3;
      return __fsub_rn(scaled(scaled(half(b + 80), b[group] & 15), q), scaled(half(b + 82), b[group] >> 4));
    }
    case Q3_K: {
      const int group = i / 16, within = i % 16, shift = ((group >> 1) & 3) * 2;
      const int low = group < 8 ? b[96 + group] & 15 : b[88 + group] >> 4;
      const int upper = b[104 + (group & 3)] >> ((group >> 2) * 2) & 3;
      const int high = b[(group & 1) * 16 + within] >> (group >> 1) & 1;
      const int q = b[32 + (group >> 3) * 32 + (group & 1) * 16 + within] >> shift & 3;
      return scaled(scaled(half(b + 108), (low | upper << 4) - 32), q - (high ? 0 : 4));
    }
    case Q4_K:
    case Q5_K: {
      const int group = i / 32, within = i % 32, fifth = format == Q5_K ? b[16 + within] >> group & 1 : 0;
      const int q = b[(format == Q5_K ? 48 : 16) + (group >> 1) * 32 + within] >> ((group & 1) * 4) & 15;
      return __fsub_rn(scaled(scaled(half(b), groupScale(b + 4, group)), q | fifth << 4), scaled(half(b + 2), groupMinimum(b + 4, group)));
    }
    default: {
      const int group = i / 16, within = i % 16, quarter = (group >> 1) & 3, lane = (group & 1) * 16 + within;
      const int low = b[(group >> 3) * 64 + (quarter & 1) * 32 + lane] >> ((quarter >> 1) * 4) & 15;
      const int high = b[128 + (group >> 3) * 32 + lane] >> (quarter * 2) & 3;
      return scaled(scaled(half(b + 208), (signed char)b[192 + group]), (low | high << 4) - 32);
    }
  }
}

// y [count, width]: rows of x [rows, width], from `first` on, or those of an index where there is one. Blocks hold `blockValues` values in
// `blockBytes` bytes. A row outside of x becomes NaN.
extern "C" __global__ void widenRows(int format, const unsigned char* x, const int* index, int first, float* y, long long count, int rows,
                                     int width, int blockValues, int blockBytes) {
  const long long rowBytes = (long long)(width / blockValues) * blockBytes;
  for (long long i = globalThread(); i < count * width; i += globalThreads()) {
    // Fewer than 2³² values are widened at once, and divisions of 32 bits are much faster.
    const int at = (int)((unsigned)i / (unsigned)width), column = (int)((unsigned)i % (unsigned)width), row = index ? index[at] : first + at;
    const unsigned char* block = x + row * rowBytes + (long long)(column / blockValues) * blockBytes;
    y[i] = row < 0 || row >= rows ? notANumber() : valueAt(format, block, column % blockValues);
  }
}
