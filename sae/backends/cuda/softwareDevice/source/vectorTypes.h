/** CUDA's vector types and their make_ functions. */
#pragma once

#define LAZYSCOPE_VECTOR(name, type, align2, align4)                                        \
  struct name##2 {                                                                          \
    alignas(align2) type x;                                                                 \
    type y;                                                                                 \
  };                                                                                        \
  struct name##3 {                                                                          \
    type x, y, z;                                                                           \
  };                                                                                        \
  struct name##4 {                                                                          \
    alignas(align4) type x;                                                                 \
    type y, z, w;                                                                           \
  };                                                                                        \
  inline name##2 make_##name##2(type x, type y) { return {x, y}; }                          \
  inline name##3 make_##name##3(type x, type y, type z) { return {x, y, z}; }               \
  inline name##4 make_##name##4(type x, type y, type z, type w) { return {x, y, z, w}; }

LAZYSCOPE_VECTOR(char, signed char, 2, 4)
LAZYSCOPE_VECTOR(uchar, unsigned char, 2, 4)
LAZYSCOPE_VECTOR(short, short, 4, 8)
LAZYSCOPE_VECTOR(ushort, unsigned short, 4, 8)
LAZYSCOPE_VECTOR(int, int, 8, 16)
LAZYSCOPE_VECTOR(uint, unsigned, 8, 16)
LAZYSCOPE_VECTOR(float, float, 8, 16)
LAZYSCOPE_VECTOR(longlong, long long, 16, 16)
LAZYSCOPE_VECTOR(ulonglong, unsigned long long, 16, 16)
LAZYSCOPE_VECTOR(double, double, 16, 16)
#undef LAZYSCOPE_VECTOR

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};
