/** Barriers, shuffles, votes and warp reductions. Each passes on its place in the source, for messages. */
#pragma once
#include "moduleInterface.h"

#define LAZYSCOPE_PLACE int line = __builtin_LINE(), const char *file = __builtin_FILE()

inline void __syncthreads(LAZYSCOPE_PLACE) { lazyscopeSyncThreads(lazyscopeSync, 0, line, file); }
inline int __syncthreads_count(int p, LAZYSCOPE_PLACE) { return lazyscopeSyncThreads(lazyscopeSyncCount, p, line, file); }
inline int __syncthreads_and(int p, LAZYSCOPE_PLACE) { return lazyscopeSyncThreads(lazyscopeSyncAnd, p, line, file); }
inline int __syncthreads_or(int p, LAZYSCOPE_PLACE) { return lazyscopeSyncThreads(lazyscopeSyncOr, p, line, file); }
inline void __syncwarp(unsigned mask = 0xffffffffu, LAZYSCOPE_PLACE) {
  lazyscopeWarp(lazyscopeSyncWarp, mask, 0, 0, 32, line, file);
}

namespace lazyscope {
template <class T>
inline T exchange(LazyscopeCollective kind, unsigned mask, T value, int argument, int width, int line, const char* file) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8, "a shuffle moves 4 or 8 bytes");
  unsigned long long bits = 0;
  __builtin_memcpy(&bits, &value, sizeof value);
  bits = lazyscopeWarp(kind, mask, bits, argument, width, line, file);
  T result;
  __builtin_memcpy(&result, &bits, sizeof result);
  return result;
}
}  // namespace lazyscope

#define LAZYSCOPE_SHUFFLES(type)                                                                                     \
  inline type __shfl_sync(unsigned mask, type v, int lane, int width = 32, LAZYSCOPE_PLACE) {                        \
    return lazyscope::exchange(lazyscopeShuffle, mask, v, lane, width, line, file);                                  \
  }                                                                                                                  \
  inline type __shfl_up_sync(unsigned mask, type v, unsigned delta, int width = 32, LAZYSCOPE_PLACE) {               \
    return lazyscope::exchange(lazyscopeShuffleUp, mask, v, int(delta), width, line, file);                          \
  }                                                                                                                  \
  inline type __shfl_down_sync(unsigned mask, type v, unsigned delta, int width = 32, LAZYSCOPE_PLACE) {             \
    return lazyscope::exchange(lazyscopeShuffleDown, mask, v, int(delta), width, line, file);                        \
  }                                                                                                                  \
  inline type __shfl_xor_sync(unsigned mask, type v, int lanes, int width = 32, LAZYSCOPE_PLACE) {                   \
    return lazyscope::exchange(lazyscopeShuffleXor, mask, v, lanes, width, line, file);                              \
  }
LAZYSCOPE_SHUFFLES(int)
LAZYSCOPE_SHUFFLES(unsigned)
LAZYSCOPE_SHUFFLES(long)
LAZYSCOPE_SHUFFLES(unsigned long)
LAZYSCOPE_SHUFFLES(long long)
LAZYSCOPE_SHUFFLES(unsigned long long)
LAZYSCOPE_SHUFFLES(float)
LAZYSCOPE_SHUFFLES(double)
#undef LAZYSCOPE_SHUFFLES

inline unsigned __ballot_sync(unsigned mask, int p, LAZYSCOPE_PLACE) {
  return unsigned(lazyscopeWarp(lazyscopeBallot, mask, p != 0, 0, 32, line, file));
}
inline int __any_sync(unsigned mask, int p, LAZYSCOPE_PLACE) {
  return int(lazyscopeWarp(lazyscopeAny, mask, p != 0, 0, 32, line, file));
}
inline int __all_sync(unsigned mask, int p, LAZYSCOPE_PLACE) {
  return int(lazyscopeWarp(lazyscopeAll, mask, p != 0, 0, 32, line, file));
}
template <class T>
inline unsigned __match_any_sync(unsigned mask, T value, LAZYSCOPE_PLACE) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8, "a match compares 4 or 8 bytes");
  unsigned long long bits = 0;
  __builtin_memcpy(&bits, &value, sizeof value);
  return unsigned(lazyscopeWarp(lazyscopeMatchAny, mask, bits, 0, 32, line, file));
}
inline unsigned __activemask() { return lazyscopeActiveMask(); }

#define LAZYSCOPE_REDUCE(name, type, kind)                                              \
  inline type name(unsigned mask, type v, LAZYSCOPE_PLACE) {                            \
    return type(lazyscopeWarp(kind, mask, unsigned(v), 0, 32, line, file));             \
  }
LAZYSCOPE_REDUCE(__reduce_add_sync, int, lazyscopeReduceAdd)
LAZYSCOPE_REDUCE(__reduce_add_sync, unsigned, lazyscopeReduceAdd)
LAZYSCOPE_REDUCE(__reduce_min_sync, int, lazyscopeReduceMin)
LAZYSCOPE_REDUCE(__reduce_min_sync, unsigned, lazyscopeReduceMinUnsigned)
LAZYSCOPE_REDUCE(__reduce_max_sync, int, lazyscopeReduceMax)
LAZYSCOPE_REDUCE(__reduce_max_sync, unsigned, lazyscopeReduceMaxUnsigned)
LAZYSCOPE_REDUCE(__reduce_and_sync, unsigned, lazyscopeReduceAnd)
LAZYSCOPE_REDUCE(__reduce_or_sync, unsigned, lazyscopeReduceOr)
LAZYSCOPE_REDUCE(__reduce_xor_sync, unsigned, lazyscopeReduceXor)
#undef LAZYSCOPE_REDUCE
