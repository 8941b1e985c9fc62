/** The device's memory: which allocations live, and whether a range lies within one. */
#pragma once
#include <string>

#include "driver.h"

namespace lazyscope {

/** Empty where [address, address + bytes) lies within one live allocation of the active device; else what is wrong. */
std::string outsideMemory(CUdeviceptr address, size_t bytes);
/** The active device's allocation that holds the address; false if none does. */
bool allocationOf(CUdeviceptr address, CUdeviceptr& base, size_t& bytes);
/** Whether the range was given out by cuMemHostAlloc. */
bool isPinned(const void* memory, size_t bytes);
void freeAllMemory(int device);

}  // namespace lazyscope
