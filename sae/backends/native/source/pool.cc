#include "lazyscope.h"
#include "pool.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <new>
#include <thread>
#include <vector>

#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#endif

namespace lazyscope {
namespace {

inline void relax() {
#if defined(__x86_64__) || defined(__i386__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

thread_local bool inside = false;

// A worker that finds no work spins this long before it sleeps: about the gap between two operations of a
// training step, so that a step wakes nobody through the kernel.
constexpr auto spin_time = std::chrono::microseconds(150);

struct Pool {
  std::mutex owner;  // held by the thread whose job is running

  // The job. Written by the owner while `open` is false and `active` is 0.
  pool::Body body = nullptr;
  void* context = nullptr;
  int64_t end = 0, grain = 1;
  std::atomic<int64_t> next{0};

  std::atomic<bool> open{false};
  std::atomic<int> active{0};  // workers inside the job, or looking whether it is open
  std::atomic<uint32_t> generation{0};
  std::atomic<int> limit{1};  // threads that may take part

  std::mutex sleep;
  std::condition_variable wake;
  std::atomic<int> sleepers{0};
  int workers = 0;  // guarded by owner

  void work() {
    inside = true;
    for (;;) {
      const int64_t first = next.fetch_add(grain, std::memory_order_relaxed);
      if (first >= end) break;
      body(context, first, first + grain < end ? first + grain : end);
    }
    inside = false;
  }

  void worker(int index) {
    uint32_t seen = 0;
    for (;;) {
      auto deadline = std::chrono::steady_clock::now() + spin_time;
      while (generation.load(std::memory_order_acquire) == seen) {
        for (int i = 0; i < 64; i++) relax();
        if (std::chrono::steady_clock::now() < deadline) {
          std::this_thread::yield();
          continue;
        }
        std::unique_lock<std::mutex> lock(sleep);
        sleepers.fetch_add(1);
        wake.wait(lock, [&] { return generation.load() != seen; });
        sleepers.fetch_sub(1);
      }
      seen = generation.load();
      if (index >= limit.load(std::memory_order_relaxed)) continue;
      // The owner closes the job and then waits for active == 0; both sides are sequentially consistent,
      // so a worker either sees the job closed or is waited for.
      active.fetch_add(1);
      if (open.load()) work();
      active.fetch_sub(1);
    }
  }

  void run(int64_t begin, int64_t last, int64_t step, pool::Body f, void* ctx) {
    body = f;
    context = ctx;
    end = last;
    grain = step;
    next.store(begin, std::memory_order_relaxed);
    open.store(true);
    generation.fetch_add(1);
    if (sleepers.load() > 0) {
      { std::lock_guard<std::mutex> lock(sleep); }
      wake.notify_all();
    }
    work();
    open.store(false);
    for (int spins = 0; active.load() != 0; spins++) {
      relax();
      if (spins > 256) std::this_thread::yield();
    }
  }
};

// Never destroyed: its threads live as long as the process.
Pool& the_pool() {
  static Pool* pool = new Pool;
  return *pool;
}

}  // namespace

int threads() { return the_pool().limit.load(std::memory_order_relaxed); }

bool inside_parallel() { return inside; }

void set_threads(int count) {
  Pool& p = the_pool();
  std::lock_guard<std::mutex> lock(p.owner);
  p.limit.store(count < 1 ? 1 : count);
  for (; p.workers + 1 < count; p.workers++) std::thread(&Pool::worker, &p, p.workers + 1).detach();
}

namespace pool {
void run(int64_t begin, int64_t end, int64_t grain, Body body, void* context) {
  if (grain < 1) grain = 1;
  Pool& p = the_pool();
  if (!inside && p.limit.load(std::memory_order_relaxed) > 1 && p.owner.try_lock()) {
    p.run(begin, end, grain, body, context);
    p.owner.unlock();
    return;
  }
  for (int64_t first = begin; first < end; first += grain)
    body(context, first, first + grain < end ? first + grain : end);
}
}  // namespace pool

namespace {
struct Buffer {
  float* data = nullptr;
  size_t capacity = 0;
  ~Buffer() { std::free(data); }
};
}  // namespace

float* scratch(Scratch slot, size_t count) {
  thread_local Buffer buffers[static_cast<int>(Scratch::count)];
  Buffer& b = buffers[static_cast<int>(slot)];
  if (b.capacity < count) {
    std::free(b.data);
    const size_t bytes = (count * sizeof(float) * 5 / 4 + 4096) & ~size_t(63);
    b.data = static_cast<float*>(std::aligned_alloc(64, bytes));
    if (!b.data) std::abort();
    b.capacity = bytes / sizeof(float);
  }
  return b.data;
}

}  // namespace lazyscope

extern "C" {
void lazyscope_set_threads(int32_t count) { lazyscope::set_threads(count); }
int32_t lazyscope_threads() { return lazyscope::threads(); }
}
