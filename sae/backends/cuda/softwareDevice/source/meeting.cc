#include "meeting.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <ctime>

namespace lazyscope {
namespace {

/** Bytes of a piece. */
constexpr size_t boxBytes = size_t(1) << 20;
/** Looks at the others before it sleeps, and between two looks for one that is gone. */
constexpr int spins = 200;
constexpr long napNanoseconds = 100'000'000;
/** Seconds that members may be apart when they begin. */
constexpr time_t patience = 120;

bool isGone(int process) { return process != 0 && kill(process, 0) != 0 && errno == ESRCH; }

/** The folder in which the C library's shm_open makes its files. */
std::string pathOf(const std::string& name) { return "/dev/shm/" + name; }

}  // namespace

/** Filled with 0 when it is made, which is what everything in it begins with. */
struct Meeting::Shared {
  std::atomic<uint32_t> arrived, generation;
  struct {
    std::atomic<int32_t> process;
    Call call;
  } members[mostMembers];
};

Meeting::Meeting(const std::string& name, int member, int members, std::string& problem)
    : bytes_(sizeof(Shared) + 4096 + size_t(members) * boxBytes), member_(member), members_(members) {
  const std::string path = pathOf(name);
  const int file = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  void* memory = MAP_FAILED;
  if (file >= 0 && ftruncate(file, off_t(bytes_)) == 0)
    memory = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  const int why = errno;
  if (file >= 0) close(file);
  if (memory == MAP_FAILED) {
    problem = "shared memory of " + std::to_string(bytes_) + " bytes at " + path + ": " + std::strerror(why);
    return;
  }
  shared_ = static_cast<Shared*>(memory);
  shared_->members[member].process = getpid();
  problem = wait(true);
  unlink(path.c_str());
}

Meeting::~Meeting() {
  if (shared_) munmap(shared_, bytes_);
}

unsigned char* Meeting::box(int member) const {
  const size_t begin = (sizeof(Shared) + 4095) / 4096 * 4096;
  return reinterpret_cast<unsigned char*>(shared_) + begin + size_t(member) * boxBytes;
}

/** Returns when all members have called it as often; or says who is gone, or when they begin, that not all have come. */
std::string Meeting::wait(bool beginning) {
  const uint32_t generation = shared_->generation;
  if (shared_->arrived.fetch_add(1) + 1 == uint32_t(members_)) {
    shared_->arrived = 0;
    shared_->generation.fetch_add(1);
    syscall(SYS_futex, &shared_->generation, FUTEX_WAKE, mostMembers, nullptr, nullptr, 0);
    return "";
  }
  const time_t began = time(nullptr);
  for (int look = 0; shared_->generation == generation; look++) {
    if (look < spins) {
      sched_yield();
      continue;
    }
    const timespec nap{0, napNanoseconds};
    syscall(SYS_futex, &shared_->generation, FUTEX_WAIT, generation, &nap, nullptr, 0);
    if (shared_->generation != generation) break;
    for (int other = 0; other < members_; other++)
      if (isGone(shared_->members[other].process)) return "rank " + std::to_string(other) + " is gone";
    if (beginning && time(nullptr) - began > patience)
      return std::to_string(members_) + " ranks were to come, and not all have";
  }
  return "";
}

std::string Meeting::sameCall(const Call& own) const {
  for (int other = 0; other < members_; other++) {
    const Call& call = shared_->members[other].call;
    if (call.number == own.number && call.kind == own.kind && call.bytes == own.bytes && call.detail == own.detail) continue;
    const auto words = [](const Call& c) {
      return "call " + std::to_string(c.number) + " of kind " + std::to_string(c.kind) + " with " + std::to_string(c.bytes) +
             " bytes and detail " + std::to_string(c.detail);
    };
    return "rank " + std::to_string(member_) + " is in " + words(own) + ", and rank " + std::to_string(other) + " in " + words(call);
  }
  return "";
}

std::string Meeting::exchange(Call call, const unsigned char* given, size_t count, const Reader& read) {
  shared_->members[member_].call = call;
  for (size_t at = 0; at == 0 || at < count; at += boxBytes) {
    const size_t piece = std::min(boxBytes, count - at);
    if (piece > 0) std::memcpy(box(member_), given + at, piece);
    std::string problem = wait(false);
    if (problem.empty() && at == 0) problem = sameCall(call);
    if (!problem.empty()) return problem;
    for (int from = 0; from < members_; from++) read(from, at, box(from), piece);
    problem = wait(false);
    if (!problem.empty()) return problem;
  }
  return "";
}

}  // namespace lazyscope
