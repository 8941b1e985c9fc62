/** What environment variables choose. Read once, when the device is opened. */
#pragma once
#include <cstddef>
#include <cstdint>

namespace lazyscope {

struct Settings {
  /** LAZYSCOPE_CUDA_ORDER: threads, blocks and streams run in an order drawn from this seed; 0 keeps their own order. */
  uint64_t order;
  /** LAZYSCOPE_CUDA_RACES=1: modules are instrumented, and every access to memory is checked. */
  bool races;
  /** LAZYSCOPE_CUDA_MEMORY: bytes of memory of each device. */
  size_t memory;
  /** LAZYSCOPE_CUDA_DEVICES: how many devices there are. */
  uint64_t devices;
  /** LAZYSCOPE_THREADS: OS threads that run blocks. */
  unsigned workers;
};

const Settings& settings();

/** A small generator (splitmix64): the same seed gives the same order on every machine. */
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t next();
  /** A number below `bound`. */
  size_t below(size_t bound) { return size_t(next() % bound); }

 private:
  uint64_t state_;
};

}  // namespace lazyscope
