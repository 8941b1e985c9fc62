#include "block.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>

#include "races.h"

namespace lazyscope {
namespace {

thread_local BlockRunner* runner = nullptr;

/** A pattern that is NaN as a float and as a double, and a huge negative number as an integer. */
constexpr unsigned char poison = 0xff;

void prepare(SharedPiece& piece, size_t bytes, size_t alignment) {
  if (piece.bytes != bytes || !piece.memory) {
    std::free(piece.memory);
    void* memory = nullptr;
    if (posix_memalign(&memory, std::max(alignment, sizeof(void*)), std::max<size_t>(bytes, 1)) != 0)
      memory = nullptr;
    piece = {static_cast<char*>(memory), bytes, false};
  }
  std::memset(piece.memory, poison, bytes);
  piece.live = true;
}

std::string at(int line, const char* file) {
  const char* slash = file ? std::strrchr(file, '/') : nullptr;
  return std::string(slash ? slash + 1 : file ? file : "?") + ":" + std::to_string(line);
}

std::string hex(uint32_t mask) {
  char text[16];
  std::snprintf(text, sizeof text, "0x%08x", mask);
  return text;
}

}  // namespace

BlockRunner* currentRunner() { return runner; }

BlockRunner::BlockRunner() : threads_(new Thread[1024]) {}

BlockRunner::~BlockRunner() {
  for (auto& piece : pieces_) std::free(piece.memory);
  std::free(dynamic_.memory);
}

std::string BlockRunner::place(const Thread& t) const {
  const auto index = [](const LazyscopeIndex& i) {
    return "(" + std::to_string(i.x) + ", " + std::to_string(i.y) + ", " + std::to_string(i.z) + ")";
  };
  return "kernel " + std::string(kernelName()) + ", block " + index(t.blockIdx) + ", thread " + index(t.threadIdx);
}

void BlockRunner::enter() {
  fiberEntered();
  BlockRunner& self = *runner;
  self.launch_->kernel->run(self.launch_->arguments.data());
  self.wait(State::finished);
}

void BlockRunner::wait(State state) {
  Thread& thread = *running_;
  thread.state = state;
  switchFiber(thread.context, scheduler_);
}

void BlockRunner::note(const std::string& what) {
  if (failure_.empty()) failure_ = what;
}

void BlockRunner::fail(const std::string& what) {
  note(what);
  // The fiber is given up where it stands: kernels own nothing that would have to be let go.
  wait(State::finished);
  std::abort();
}

void BlockRunner::resume(Thread& thread) {
  if (thread.state == State::fresh) {
    if (free_.empty()) {
      stacks_.push_back(std::make_unique<Stack>());
      free_.push_back(stacks_.back().get());
    }
    thread.stack = free_.back();
    free_.pop_back();
    thread.stack->begin(thread.context, enter);
  }
  running_ = &thread;
  switchFiber(scheduler_, thread.context);
  running_ = nullptr;
  if (thread.state == State::finished) {
    free_.push_back(thread.stack);
    thread.stack = nullptr;
  }
}

/** Runs each lane of the warp as far as it comes without the others; false if none could. */
bool BlockRunner::runWarp(unsigned warp) {
  bool ran = false;
  const unsigned end = std::min(count_, warp * 32 + 32);
  for (unsigned i = warp * 32; i < end && failure_.empty(); i++) {
    if (threads_[i].state != State::fresh && threads_[i].state != State::ready) continue;
    resume(threads_[i]);
    ran = true;
  }
  return ran;
}

/** Completes the exchanges of the warp for which all lanes have come; false if there were none. */
bool BlockRunner::releaseWarp(unsigned warp) {
  const unsigned first = warp * 32, lanes = std::min(32u, count_ - first);
  bool released = false;
  for (unsigned l = 0; l < lanes; l++) {
    Thread& leader = threads_[first + l];
    if (leader.state != State::inWarp) continue;
    const Contribution wanted = leader.contribution;
    const Contribution* brought[32] = {};
    bool complete = true;
    for (unsigned other = 0; other < 32 && complete; other++) {
      if (!(wanted.mask >> other & 1)) continue;
      const Thread* t = other < lanes ? &threads_[first + other] : nullptr;
      complete = t && t->state == State::inWarp && t->contribution.kind == wanted.kind &&
                 t->contribution.mask == wanted.mask && t->contribution.line == wanted.line;
      if (complete) brought[other] = &t->contribution;
    }
    if (!complete) continue;
    for (unsigned other = 0; other < lanes; other++) {
      if (!brought[other]) continue;
      Thread& t = threads_[first + other];
      int missing = -1;
      t.result = received(brought, other, missing);
      if (missing >= 0)
        note(place(t) + ": " + nameOf(wanted.kind) + " at " + at(wanted.line, wanted.file) + " reads lane " +
             std::to_string(missing) + ", which is not in the mask " + hex(wanted.mask));
    }
    for (unsigned other = 0; other < lanes; other++) {
      if (!brought[other]) continue;
      threads_[first + other].state = State::ready;
      // Only __syncwarp orders the accesses to memory, and only of the lanes it names.
      if (wanted.kind == lazyscopeSyncWarp && wanted.mask == (lanes == 32 ? ~0u : (1u << lanes) - 1))
        threads_[first + other].warpEpoch++;
    }
    released = true;
  }
  return released;
}

/** Lets the threads go on that wait in __syncthreads, if all do, at the same place; false otherwise. */
bool BlockRunner::releaseBarrier() {
  int count = 0;
  for (unsigned i = 0; i < count_; i++) {
    const Thread& t = threads_[i];
    if (t.state != State::atBarrier || t.line != threads_[0].line || t.barrier != threads_[0].barrier) return false;
    count += t.predicate != 0;
  }
  const LazyscopeBarrier kind = threads_[0].barrier;
  const int result = kind == lazyscopeSyncAnd  ? count == int(count_)
                     : kind == lazyscopeSyncOr ? count != 0
                                               : count;
  for (unsigned i = 0; i < count_; i++) {
    threads_[i].result = uint64_t(result);
    threads_[i].state = State::ready;
    threads_[i].warpEpoch = 0;
  }
  blockEpoch_++;
  return true;
}

/** Why nobody can go on. */
std::string BlockRunner::stuck() const {
  const auto what = [](const Thread& t) -> std::string {
    if (t.state == State::finished) return "has returned";
    if (t.state == State::atBarrier) return "waits in __syncthreads at " + at(t.line, t.file);
    return std::string("waits in ") + nameOf(t.contribution.kind) + " with mask " + hex(t.contribution.mask) + " at " +
           at(t.contribution.line, t.contribution.file);
  };
  for (unsigned i = 0; i < count_; i++) {
    const Thread& t = threads_[i];
    if (t.state != State::inWarp) continue;
    const unsigned first = i / 32 * 32;
    for (unsigned other = 0; other < 32; other++) {
      if (!(t.contribution.mask >> other & 1)) continue;
      if (first + other >= count_)
        return place(t) + " " + what(t) + ", but its warp has only " + std::to_string(count_ - first) + " threads";
      const Thread& o = threads_[first + other];
      if (o.state != State::inWarp || o.contribution.kind != t.contribution.kind ||
          o.contribution.mask != t.contribution.mask || o.contribution.line != t.contribution.line)
        return place(t) + " " + what(t) + ", but lane " + std::to_string(other) + " " + what(o);
    }
  }
  const Thread* waits = nullptr;
  for (unsigned i = 0; i < count_ && !waits; i++)
    if (threads_[i].state == State::atBarrier) waits = &threads_[i];
  for (unsigned i = 0; waits && i < count_; i++) {
    const Thread& o = threads_[i];
    if (o.state != State::atBarrier || o.line != waits->line || o.barrier != waits->barrier)
      return place(*waits) + " " + what(*waits) + ", but thread " + std::to_string(i) + " of the block " + what(o);
  }
  return "kernel " + std::string(kernelName()) + " can't go on";
}

std::string BlockRunner::run(const Launch& launch, unsigned long long blockNumber, LazyscopeIndex blockIndex,
                             Random* order) {
  launch_ = &launch;
  blockNumber_ = blockNumber;
  blockEpoch_ = 0;
  failure_.clear();
  const LazyscopeIndex size = launch.block;
  count_ = size.x * size.y * size.z;
  for (auto& piece : pieces_) piece.live = false;
  dynamic_.live = false;
  for (unsigned i = 0; i < count_; i++) {
    Thread& t = threads_[i];
    t.threadIdx = {i % size.x, i / size.x % size.y, i / (size.x * size.y)};
    t.blockIdx = blockIndex;
    t.blockDim = size;
    t.gridDim = launch.grid;
    t.state = State::fresh;
    t.index = i;
    t.warpEpoch = 0;
    t.stack = nullptr;
  }
  BlockRunner* outer = runner;
  runner = this;
  const unsigned warps = (count_ + 31) / 32;
  std::vector<unsigned> able;
  while (failure_.empty()) {
    if (order) {
      able.clear();
      for (unsigned i = 0; i < count_; i++)
        if (threads_[i].state == State::fresh || threads_[i].state == State::ready) able.push_back(i);
      if (!able.empty()) {
        // A draw from the list, then its neighbours too now and then: as real warps, that advance by parts.
        for (size_t left = 1 + order->below(able.size()); left > 0 && failure_.empty(); left--) {
          const size_t drawn = order->below(able.size());
          resume(threads_[able[drawn]]);
          able[drawn] = able.back();
          able.pop_back();
          if (able.empty()) break;
        }
        continue;
      }
      bool released = false;
      for (unsigned w = 0; w < warps; w++) released = releaseWarp(w) || released;
      if (released) continue;
    } else {
      for (unsigned w = 0; w < warps; w++)
        while (runWarp(w) || (failure_.empty() && releaseWarp(w))) continue;
    }
    if (!failure_.empty()) break;
    bool finished = true;
    for (unsigned i = 0; i < count_; i++) finished = finished && threads_[i].state == State::finished;
    if (finished) break;
    if (!releaseBarrier()) note(stuck());
  }
  if (!failure_.empty())
    for (unsigned i = 0; i < count_; i++)
      if (threads_[i].stack) free_.push_back(threads_[i].stack);
  runner = outer;
  return failure_;
}

void* BlockRunner::shared(int* slot, size_t bytes, size_t alignment) {
  static std::atomic<int> slots{0};
  int number = __atomic_load_n(slot, __ATOMIC_ACQUIRE);
  if (number == 0) {
    const int fresh = ++slots;
    number = 0;
    if (__atomic_compare_exchange_n(slot, &number, fresh, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) number = fresh;
  }
  while (pieces_.size() < size_t(number)) pieces_.emplace_back();
  SharedPiece& piece = pieces_[size_t(number - 1)];
  if (!piece.live) {
    prepare(piece, bytes, alignment);
    size_t all = launch_->sharedBytes;
    for (const auto& p : pieces_)
      if (p.live) all += p.bytes;
    if (all > launch_->sharedLimit)
      fail(place(*running_) + ": static and dynamic shared memory of " + std::to_string(all) + " bytes, and " +
           std::to_string(launch_->sharedLimit) + " are allowed");
    forgetAccesses(piece.memory, piece.bytes);
  }
  return piece.memory;
}

void* BlockRunner::dynamicShared() {
  if (!dynamic_.live) {
    prepare(dynamic_, launch_->sharedBytes, 16);
    forgetAccesses(dynamic_.memory, dynamic_.bytes);
  }
  return dynamic_.memory;
}

bool BlockRunner::isShared(const volatile void* address, size_t bytes) const {
  const auto p = static_cast<const volatile char*>(address);
  const auto within = [&](const SharedPiece& piece) {
    return piece.live && p >= piece.memory && p + bytes <= piece.memory + piece.bytes;
  };
  return within(dynamic_) || std::any_of(pieces_.begin(), pieces_.end(), within);
}

bool BlockRunner::isStack(const volatile void* address) const {
  const auto p = static_cast<const volatile char*>(address);
  const Context& c = running_->context;
  return p >= c.stackBottom && p < c.stackBottom + c.stackBytes;
}

bool BlockRunner::isThread(const volatile void* address) const {
  return address >= threads_.get() && address < threads_.get() + 1024;
}

unsigned BlockRunner::activeMask() {
  const unsigned lane = running_->index % 32;
  return 1u << lane;
}

}  // namespace lazyscope

using lazyscope::BlockRunner;
using lazyscope::State;
using lazyscope::Thread;

LazyscopeThread* lazyscopeThread() { return &lazyscope::currentRunner()->current(); }

int lazyscopeSyncThreads(LazyscopeBarrier kind, int predicate, int line, const char* file) {
  BlockRunner& runner = *lazyscope::currentRunner();
  Thread& t = runner.current();
  t.barrier = kind;
  t.predicate = predicate;
  t.line = line;
  t.file = file;
  runner.wait(State::atBarrier);
  return int(t.result);
}

unsigned long long lazyscopeWarp(LazyscopeCollective kind, unsigned mask, unsigned long long value, int argument,
                                 int width, int line, const char* file) {
  BlockRunner& runner = *lazyscope::currentRunner();
  Thread& t = runner.current();
  const unsigned lane = t.index % 32;
  if (!(mask >> lane & 1))
    runner.fail(runner.place(t) + ": " + lazyscope::nameOf(kind) + " at line " + std::to_string(line) +
                " is called with a mask that does not name the calling lane");
  if (width < 1 || width > 32 || (width & (width - 1)) != 0)
    runner.fail(runner.place(t) + ": a shuffle at line " + std::to_string(line) + " has width " +
                std::to_string(width) + ", which is no power of 2 up to 32");
  t.contribution = {kind, mask, value, argument, width, line, file};
  runner.wait(State::inWarp);
  return t.result;
}

unsigned lazyscopeActiveMask() { return lazyscope::currentRunner()->activeMask(); }

void* lazyscopeShared(int* slot, unsigned long bytes, unsigned long alignment) {
  return lazyscope::currentRunner()->shared(slot, bytes, alignment);
}

void* lazyscopeDynamicShared() { return lazyscope::currentRunner()->dynamicShared(); }

void lazyscopeTrap(const char* what, int line, const char* file) {
  BlockRunner& runner = *lazyscope::currentRunner();
  runner.fail(runner.place(runner.current()) + ": " + what + " at " + file + ":" + std::to_string(line));
}
