/** Processes of one machine that meet in shared memory, to give each other bytes. */
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

namespace lazyscope {

/** The most processes that can meet. */
constexpr int mostMembers = 16;

/** What a process says of its part before the bytes go: whoever says something else is in another call. */
struct Call {
  /** The order of all calls of a process. */
  uint64_t number = 0;
  int32_t kind = 0;
  /** How many bytes each process gives to all, or to each of the others. */
  uint64_t bytes = 0;
  /** Type of number, operation or root, where the call has one. */
  int32_t detail = 0;
};

/** `from` is whose bytes these are, `at` where among the bytes that it gives they begin. */
using Reader = std::function<void(int from, size_t at, const unsigned char* bytes, size_t count)>;

class Meeting {
 public:
  /** Waits until all members have come; `problem` says why they can't have met. The name ends with the meeting: no file is left. */
  Meeting(const std::string& name, int member, int members, std::string& problem);
  ~Meeting();
  Meeting(const Meeting&) = delete;
  Meeting& operator=(const Meeting&) = delete;

  /**
   * Every member gives `count` bytes and reads what each has given, its own too, piece by piece and in the order of the members. Empty, or what
   * went wrong: another call of another member, or one that is gone.
   */
  std::string exchange(Call call, const unsigned char* given, size_t count, const Reader& read);

 private:
  struct Shared;
  std::string wait(bool beginning);
  std::string sameCall(const Call& call) const;
  unsigned char* box(int member) const;

  Shared* shared_ = nullptr;
  size_t bytes_ = 0;
  int member_, members_;
};

}  // namespace lazyscope
