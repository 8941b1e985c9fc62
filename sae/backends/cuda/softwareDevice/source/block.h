/** One block at a time, on one OS thread: its threads as fibers, and where they wait for each other. */
#pragma once
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "fiber.h"
#include "launch.h"
#include "settings.h"
#include "warp.h"

namespace lazyscope {

enum class State { fresh, ready, atBarrier, inWarp, finished };

struct Thread : LazyscopeThread {
  State state;
  unsigned index;
  /** How often the block's and the warp's threads have waited for each other: the order of accesses for the race report. */
  unsigned warpEpoch;
  Context context;
  Stack* stack;
  // What it waits with, and what it gets.
  Contribution contribution;
  LazyscopeBarrier barrier;
  int predicate, line;
  const char* file;
  uint64_t result;
};

/** Shared memory of the block that runs: one piece for each declaration, at its exact size. */
struct SharedPiece {
  char* memory = nullptr;
  size_t bytes = 0;
  bool live = false;
};

class BlockRunner {
 public:
  BlockRunner();
  ~BlockRunner();

  /** Runs one block; returns what went wrong. */
  std::string run(const Launch& launch, unsigned long long blockNumber, LazyscopeIndex blockIndex, Random* order);

  // Called by the thread that runs.
  Thread& current() { return *running_; }
  bool running() const { return running_ != nullptr; }
  unsigned threads() const { return count_; }
  unsigned long long blockNumber() const { return blockNumber_; }
  unsigned blockEpoch() const { return blockEpoch_; }
  const char* kernelName() const { return launch_->kernel->name; }
  /** Gives way to the other threads until its wait is over. */
  void wait(State state);
  [[noreturn]] void fail(const std::string& what);
  /** The same from outside of a fiber, or where the thread may go on. */
  void note(const std::string& what);
  std::string place(const Thread& thread) const;
  void* shared(int* slot, size_t bytes, size_t alignment);
  void* dynamicShared();
  bool isShared(const volatile void* address, size_t bytes) const;
  bool isStack(const volatile void* address) const;
  /** Whether the address lies in what this file keeps of a thread, such as its threadIdx. */
  bool isThread(const volatile void* address) const;
  unsigned activeMask();

 private:
  static void enter();
  void resume(Thread& thread);
  bool runWarp(unsigned warp);
  bool releaseWarp(unsigned warp);
  bool releaseBarrier();
  std::string stuck() const;

  const Launch* launch_ = nullptr;
  unsigned long long blockNumber_ = 0;
  unsigned count_ = 0, blockEpoch_ = 0;
  std::unique_ptr<Thread[]> threads_;
  std::vector<std::unique_ptr<Stack>> stacks_;
  std::vector<Stack*> free_;
  Context scheduler_;
  Thread* running_ = nullptr;
  std::string failure_;
  std::deque<SharedPiece> pieces_;
  SharedPiece dynamic_;
};

/** The one that runs on this OS thread; null outside of a launch. */
BlockRunner* currentRunner();

}  // namespace lazyscope
