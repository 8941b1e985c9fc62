/** Finds accesses to memory that nothing orders, and accesses to memory that nobody owns. */
#pragma once
#include <cstddef>

namespace lazyscope {

/** Memory that begins a new life: what was noted about it is of no matter any more. */
void forgetAccesses(const void* address, size_t bytes);
/** A launch begins: everything before it is ordered before everything in it. */
void beginLaunchAccesses();

}  // namespace lazyscope
