/** What the device says it has. The smallest of the GPUs that the backend is meant for, so that what runs here fits there. */
#pragma once
#include <cstddef>

namespace lazyscope::limits {

constexpr size_t threadsPerBlock = 1024;
constexpr size_t sharedBytes = 48 << 10;
/** Compute capability 8.9. */
constexpr size_t sharedBytesOptIn = 99 << 10;
constexpr int major = 8, minor = 0;
/** Few, and not a power of two: grids that are a multiple of it go round several times. */
constexpr int multiprocessors = 6;
constexpr int l2Bytes = 4 << 20;

}  // namespace lazyscope::limits
