/**
 * What a compiled .cu file and the software device say to each other. The device exports the functions; a compiled
 * file (a "module") exports the list of its kernels. Nothing here needs a header of the standard library, so that a
 * kernel compiles in a tenth of a second.
 */
#pragma once

struct LazyscopeIndex {
  unsigned x, y, z;
};

/** The place of one CUDA thread. It stays at one address for as long as the thread runs. */
struct LazyscopeThread {
  LazyscopeIndex threadIdx, blockIdx, blockDim, gridDim;
};

/** One kernel of a module: `run` executes one thread of it, with the arguments packed as CUDA packs them. */
struct LazyscopeKernel {
  const char* name;
  void (*run)(const unsigned char* arguments);
  const unsigned* offsets;
  const unsigned* sizes;
  unsigned parameters;
  unsigned packedBytes;
  /** Of __launch_bounds__. */
  unsigned mostThreads;
};

enum LazyscopeCollective : int {
  lazyscopeSyncWarp,
  lazyscopeShuffle,
  lazyscopeShuffleUp,
  lazyscopeShuffleDown,
  lazyscopeShuffleXor,
  lazyscopeBallot,
  lazyscopeAny,
  lazyscopeAll,
  lazyscopeMatchAny,
  lazyscopeReduceAdd,
  lazyscopeReduceMin,
  lazyscopeReduceMax,
  lazyscopeReduceMinUnsigned,
  lazyscopeReduceMaxUnsigned,
  lazyscopeReduceAnd,
  lazyscopeReduceOr,
  lazyscopeReduceXor,
};

enum LazyscopeBarrier : int { lazyscopeSync, lazyscopeSyncCount, lazyscopeSyncAnd, lazyscopeSyncOr };

extern "C" {
/** The calling CUDA thread. Constant within a thread, so a compiler may ask once a function. */
__attribute__((const)) LazyscopeThread* lazyscopeThread();
int lazyscopeSyncThreads(LazyscopeBarrier kind, int predicate, int line, const char* file);
unsigned long long lazyscopeWarp(LazyscopeCollective kind, unsigned mask, unsigned long long value, int argument,
                                 int width, int line, const char* file);
unsigned lazyscopeActiveMask();
/** Static shared memory of this block; `slot` is 0 until the first call, and belongs to one declaration. */
void* lazyscopeShared(int* slot, unsigned long bytes, unsigned long alignment);
void* lazyscopeDynamicShared();
/** Says that an atomic operation is about to touch `bytes` bytes at `address`. */
void lazyscopeAtomicAccess(const volatile void* address, unsigned bytes);
[[noreturn]] void lazyscopeTrap(const char* what, int line, const char* file);
}
