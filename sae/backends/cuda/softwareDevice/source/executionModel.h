/**
 * CUDA's execution model for a .cu file that the system's C++ compiler compiles. It is included before the file's text, in
 * which ../moduleSource.ts has turned every declaration of shared memory into a call of `lazyscope::shared`.
 */
#pragma once
#include "atomics.h"
#include "deviceMath.h"
#include "moduleInterface.h"
#include "vectorTypes.h"
#include "warpFunctions.h"

#define LAZYSCOPE_SOFTWARE_DEVICE 1

#define __device__
#define __host__
#define __global__
#define __constant__
#define __restrict__ __restrict
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __align__(bytes) alignas(bytes)
#define __launch_bounds__(...)
#define __grid_constant__

#define threadIdx (lazyscopeThread()->threadIdx)
#define blockIdx (lazyscopeThread()->blockIdx)
#define blockDim (lazyscopeThread()->blockDim)
#define gridDim (lazyscopeThread()->gridDim)
#define warpSize 32

inline void __threadfence() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
inline void __threadfence_block() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
inline void __threadfence_system() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
#define __trap() lazyscopeTrap("__trap", __LINE__, __FILE__)
#define assert(condition) ((condition) ? (void)0 : lazyscopeTrap("assertion " #condition " failed", __LINE__, __FILE__))

template <class T>
inline T __ldg(const T* p) { return *p; }
template <class T>
inline T __ldca(const T* p) { return *p; }
template <class T>
inline T __ldcg(const T* p) { return *p; }
template <class T>
inline T __ldcs(const T* p) { return *p; }
template <class T>
inline T __ldlu(const T* p) { return *p; }
template <class T>
inline T __ldcv(const T* p) { return *p; }
template <class T>
inline void __stwb(T* p, T v) { *p = v; }
template <class T>
inline void __stcg(T* p, T v) { *p = v; }
template <class T>
inline void __stcs(T* p, T v) { *p = v; }
template <class T>
inline void __stwt(T* p, T v) { *p = v; }

namespace lazyscope {

/** The shared memory that one declaration names. `Owner` is a type of that declaration's own, per instantiation. */
template <class T, class Owner>
inline T& shared() {
  static int slot = 0;
  return *static_cast<T*>(lazyscopeShared(&slot, sizeof(T), alignof(T) < 128 ? 128 : alignof(T)));
}

/** Arguments as CUDA packs them: each aligned to its own size. */
template <class... A>
struct Layout;

template <unsigned... I>
struct Numbers {};
template <unsigned n, unsigned... I>
struct Count : Count<n - 1, n - 1, I...> {};
template <unsigned... I>
struct Count<0, I...> {
  using Type = Numbers<I...>;
};

template <class... A>
struct Layout {
  unsigned offsets[sizeof...(A) + 1] = {};
  unsigned sizes[sizeof...(A) + 1] = {};
  unsigned bytes = 0;
  constexpr Layout() {
    unsigned i = 0;
    (void)i;
    ((bytes = (bytes + unsigned(alignof(A)) - 1) / unsigned(alignof(A)) * unsigned(alignof(A)), offsets[i] = bytes,
      sizes[i] = unsigned(sizeof(A)), bytes += unsigned(sizeof(A)), i++),
     ...);
  }
};

template <auto kernel>
struct Trampoline;

template <class... A, void (*kernel)(A...)>
struct Trampoline<kernel> {
  static constexpr Layout<A...> layout{};
  template <class T>
  __attribute__((no_sanitize("thread"))) static T at(const unsigned char* arguments, unsigned offset) {
    T value;
    __builtin_memcpy(&value, arguments + offset, sizeof value);
    return value;
  }
  template <unsigned... I>
  __attribute__((no_sanitize("thread"))) static void call(const unsigned char* arguments, Numbers<I...>) {
    (void)arguments;
    kernel(at<A>(arguments, layout.offsets[I])...);
  }
  // What it reads is no memory of the device.
  __attribute__((no_sanitize("thread"))) static void run(const unsigned char* arguments) { call(arguments, typename Count<sizeof...(A)>::Type{}); }
  /** `mostThreads`, and what else __launch_bounds__ has, which is for a GPU's registers. */
  template <class... Others>
  static constexpr LazyscopeKernel entry(const char* name, int mostThreads, Others...) {
    return {name, run, layout.offsets, layout.sizes, unsigned(sizeof...(A)), layout.bytes, unsigned(mostThreads)};
  }
};

}  // namespace lazyscope
