/** OS threads that share the work of one launch or product. */
#pragma once
#include <cstddef>
#include <functional>

namespace lazyscope {

/** Calls `work(i)` for every i below `count`, on the calling thread and the workers, and returns when all are done. */
void inParallel(size_t count, const std::function<void(size_t)>& work);

}  // namespace lazyscope
