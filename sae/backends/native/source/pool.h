// The one thread pool of the native library, and the conventions its sources share.
//
// Convention: tensors are dense and row-major; an index is int64_t; a C function that TypeScript calls is
// named lazyscope_… and never throws. Work is cut into chunks whose size does not depend on the number of
// threads, and each output element is computed by one chunk in a fixed order, so results are the same bits
// for any number of threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace lazyscope {

// Threads that take part in parallel_for, the caller included.
int threads();
void set_threads(int count);
// Whether the caller runs inside parallel_for already, so that a further one would be serial.
bool inside_parallel();

namespace pool {
using Body = void (*)(void* context, int64_t begin, int64_t end);
void run(int64_t begin, int64_t end, int64_t grain, Body body, void* context);
}  // namespace pool

// Calls body(first, last) for consecutive pieces of [begin, end) of `grain` elements each (the last may be
// shorter), on all threads, and returns when all are done. A nested call, or one from a second caller while
// the pool is busy, runs on the calling thread alone.
template <class F>
void parallel_for(int64_t begin, int64_t end, int64_t grain, F&& body) {
  if (begin >= end) return;
  if (end - begin <= grain) {
    body(begin, end);
    return;
  }
  pool::run(
      begin, end, grain,
      [](void* context, int64_t first, int64_t last) {
        (*static_cast<typename std::remove_reference<F>::type*>(context))(first, last);
      },
      const_cast<void*>(static_cast<const void*>(&body)));
}

// Memory that a thread keeps from call to call: at least `count` floats, aligned to 64 bytes, contents
// undefined. `slot` tells apart buffers that are in use at the same time.
enum class Scratch { packA, packB, tile, attention, reduction, other, widened, count };
float* scratch(Scratch slot, size_t count);

}  // namespace lazyscope
