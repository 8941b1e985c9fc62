/** CUDA's atomic functions; each returns what was there before. */
#pragma once
#include "moduleInterface.h"

// Under the race report every access of a module is noted; that of an atomic function is noted as what it is.
#ifdef LAZYSCOPE_RACES
#define LAZYSCOPE_ATOMIC __attribute__((noinline, no_sanitize("thread"))) inline
#define LAZYSCOPE_NOTE(address) lazyscopeAtomicAccess(address, sizeof *address)
#else
#define LAZYSCOPE_ATOMIC inline
#define LAZYSCOPE_NOTE(address) (void)0
#endif

namespace lazyscope {
template <class T, class Change>
LAZYSCOPE_ATOMIC T atomically(T* address, Change change) {
  LAZYSCOPE_NOTE(address);
  T before, after;
  __atomic_load(address, &before, __ATOMIC_RELAXED);
  do after = change(before);
  while (!__atomic_compare_exchange(address, &before, &after, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
  return before;
}
}  // namespace lazyscope

#define LAZYSCOPE_ATOMICS(type)                                                                                        \
  inline type atomicAdd(type* a, type v) { return lazyscope::atomically(a, [v](type old) { return static_cast<type>(old + v); }); } \
  inline type atomicExch(type* a, type v) { return lazyscope::atomically(a, [v](type) { return v; }); }
#define LAZYSCOPE_ORDERED(type)                                                                                        \
  inline type atomicMin(type* a, type v) { return lazyscope::atomically(a, [v](type o) { return v < o ? v : o; }); }   \
  inline type atomicMax(type* a, type v) { return lazyscope::atomically(a, [v](type o) { return o < v ? v : o; }); }   \
  inline type atomicAnd(type* a, type v) { return lazyscope::atomically(a, [v](type o) { return static_cast<type>(o & v); }); }     \
  inline type atomicOr(type* a, type v) { return lazyscope::atomically(a, [v](type o) { return static_cast<type>(o | v); }); }      \
  inline type atomicXor(type* a, type v) { return lazyscope::atomically(a, [v](type o) { return static_cast<type>(o ^ v); }); }     \
  inline type atomicCAS(type* a, type expected, type v) {                                                              \
    return lazyscope::atomically(a, [expected, v](type o) { return o == expected ? v : o; });                          \
  }
inline int atomicAdd(int* a, int v) {
  return lazyscope::atomically(a, [v](int old) { return int(unsigned(old) + unsigned(v)); });
}
inline int atomicExch(int* a, int v) {
  return lazyscope::atomically(a, [v](int) { return v; });
}
LAZYSCOPE_ATOMICS(unsigned)
LAZYSCOPE_ATOMICS(unsigned long long)
LAZYSCOPE_ATOMICS(float)
LAZYSCOPE_ATOMICS(double)
LAZYSCOPE_ORDERED(int)
LAZYSCOPE_ORDERED(unsigned)
LAZYSCOPE_ORDERED(unsigned long long)
#undef LAZYSCOPE_ATOMICS
#undef LAZYSCOPE_ORDERED
inline long long atomicMin(long long* a, long long v) {
  return lazyscope::atomically(a, [v](long long o) { return v < o ? v : o; });
}
inline long long atomicMax(long long* a, long long v) {
  return lazyscope::atomically(a, [v](long long o) { return o < v ? v : o; });
}
inline int atomicSub(int* a, int v) {
  return lazyscope::atomically(a, [v](int old) { return int(unsigned(old) - unsigned(v)); });
}
inline unsigned atomicSub(unsigned* a, unsigned v) {
  return lazyscope::atomically(a, [v](unsigned old) { return old - v; });
}
inline unsigned atomicInc(unsigned* a, unsigned limit) {
  return lazyscope::atomically(a, [limit](unsigned old) { return old >= limit ? 0u : old + 1; });
}
inline unsigned atomicDec(unsigned* a, unsigned limit) {
  return lazyscope::atomically(a, [limit](unsigned old) { return old == 0 || old > limit ? limit : old - 1; });
}
