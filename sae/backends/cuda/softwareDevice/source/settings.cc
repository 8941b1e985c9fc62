#include "settings.h"

#include <algorithm>
#include <cstdlib>
#include <thread>

namespace lazyscope {
namespace {

uint64_t number(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text && *text ? std::strtoull(text, nullptr, 10) : otherwise;
}

}  // namespace

const Settings& settings() {
  static const Settings read = [] {
    Settings s;
    s.order = number("LAZYSCOPE_CUDA_ORDER", 0);
    s.races = number("LAZYSCOPE_CUDA_RACES", 0) != 0;
    s.memory = number("LAZYSCOPE_CUDA_MEMORY", uint64_t(4) << 30);
    s.devices = number("LAZYSCOPE_CUDA_DEVICES", 1);
    const unsigned cores = std::max(1u, std::thread::hardware_concurrency());
    // Whoever draws the order of everything, or looks for races, wants one and the same order on every run.
    s.workers = s.order || s.races ? 1 : unsigned(number("LAZYSCOPE_THREADS", cores));
    return s;
  }();
  return read;
}

uint64_t Random::next() {
  uint64_t z = state_ += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

}  // namespace lazyscope
