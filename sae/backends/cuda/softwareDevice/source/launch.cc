#include "launch.h"

#include <algorithm>
#include <atomic>
#include <mutex>

#include "block.h"
#include "races.h"
#include "settings.h"
#include "signals.h"
#include "workers.h"

namespace lazyscope {

std::string runLaunch(const Launch& launch) {
  const LazyscopeIndex grid = launch.grid;
  const size_t blocks = size_t(grid.x) * grid.y * grid.z;
  const unsigned threads = launch.block.x * launch.block.y * launch.block.z;
  beginLaunchAccesses();

  std::string failure;
  std::mutex mutex;
  std::atomic<bool> failed{false};
  static uint64_t launches = 0;
  Random order(settings().order + ++launches);
  const auto runBlock = [&](size_t number) {
    static thread_local BlockRunner runner;
    catchFaults();
    const LazyscopeIndex index = {unsigned(number % grid.x), unsigned(number / grid.x % grid.y),
                                  unsigned(number / (size_t(grid.x) * grid.y))};
    std::string what = runner.run(launch, number, index, settings().order ? &order : nullptr);
    if (what.empty()) return;
    failed = true;
    std::lock_guard lock(mutex);
    if (failure.empty()) failure = std::move(what);
  };

  if (settings().order) {
    std::vector<size_t> numbers(blocks);
    for (size_t i = 0; i < blocks; i++) numbers[i] = i;
    for (size_t i = blocks; i > 1; i--) std::swap(numbers[i - 1], numbers[order.below(i)]);
    for (size_t number : numbers)
      if (!failed) runBlock(number);
    return failure;
  }
  // A group of blocks is worth waking a worker for when it has some thousands of threads.
  const size_t group = std::max<size_t>(1, std::min<size_t>(4096 / threads, blocks / 8 + 1));
  inParallel((blocks + group - 1) / group, [&](size_t g) {
    for (size_t i = g * group; i < std::min(blocks, (g + 1) * group) && !failed; i++) runBlock(i);
  });
  return failure;
}

}  // namespace lazyscope
