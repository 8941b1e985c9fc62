/** Runs a kernel: its blocks over OS threads, the threads of a block as fibers. */
#pragma once
#include <string>
#include <vector>

#include "moduleInterface.h"

namespace lazyscope {

struct Launch {
  const LazyscopeKernel* kernel;
  LazyscopeIndex grid, block;
  size_t sharedBytes;
  /** Of static and dynamic shared memory together. */
  size_t sharedLimit;
  /** As CUDA packs them. */
  std::vector<unsigned char> arguments;
};

/** Returns what went wrong, with the kernel's name, block and thread; empty when nothing did. */
std::string runLaunch(const Launch& launch);

}  // namespace lazyscope
