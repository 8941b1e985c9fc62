/**
 * The run-time of `-fsanitize=thread`, ours instead of the compiler's: modules compiled with it call these functions at every
 * access to memory, and what is noted is which CUDA thread did it, and how many barriers it had passed.
 */
#include "races.h"

#include <dlfcn.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <unordered_map>

#include "block.h"
#include "memory.h"
#include "settings.h"

namespace lazyscope {
namespace {

uint32_t launch = 0;

/** Who touched a word, and when. */
struct Access {
  uint32_t launch = 0;
  /** The bytes of the word that were touched. */
  uint8_t bytes = 0;
  bool atomic = false;
  uint16_t thread = 0;
  uint64_t block = 0;
  uint32_t blockEpoch = 0, warpEpoch = 0;
  const void* code = nullptr;
};

/** The last write of a word, and the last reads of two different threads. */
struct Word {
  Access write, read, otherRead;
};

constexpr uintptr_t pageBytes = 4096;
using Page = std::array<Word, pageBytes / 4>;

std::unordered_map<uintptr_t, std::unique_ptr<Page>>& pages() {
  static auto* all = new std::unordered_map<uintptr_t, std::unique_ptr<Page>>();
  return *all;
}

Word& wordAt(uintptr_t address) {
  auto& page = pages()[address / pageBytes];
  if (!page) page = std::make_unique<Page>();
  return (*page)[address % pageBytes / 4];
}

/** Whether something orders the earlier access before the later one. */
bool ordered(const Access& earlier, const Access& later) {
  if (earlier.launch != later.launch) return true;
  if (earlier.block != later.block) return false;
  if (earlier.thread == later.thread || earlier.blockEpoch < later.blockEpoch) return true;
  return earlier.thread / 32 == later.thread / 32 && earlier.warpEpoch < later.warpEpoch;
}

bool conflicts(const Access& earlier, const Access& later) {
  return (earlier.bytes & later.bytes) != 0 && !(earlier.atomic && later.atomic) && !ordered(earlier, later);
}

/** The place in the source, by the debugging information of the module. */
std::string source(const void* code) {
  Dl_info info;
  if (!code || !dladdr(const_cast<void*>(code), &info)) return "?";
  char command[600];
  // The return address lies behind the call.
  std::snprintf(command, sizeof command, "addr2line -s -e '%s' 0x%llx 2>/dev/null", info.dli_fname,
                (unsigned long long)(uintptr_t(code) - uintptr_t(info.dli_fbase) - 1));
  std::string line;
  if (FILE* answer = popen(command, "r")) {
    char text[300] = "";
    if (std::fgets(text, sizeof text, answer)) line = text;
    pclose(answer);
  }
  while (!line.empty() && line.back() == '\n') line.pop_back();
  return line.empty() ? "?" : line;
}

std::string where(const BlockRunner& runner, uintptr_t address, size_t bytes) {
  if (runner.isShared(reinterpret_cast<void*>(address), bytes)) return "shared memory";
  CUdeviceptr base = 0;
  size_t size = 0;
  if (!allocationOf(address, base, size)) return "memory";
  return "byte " + std::to_string(address - base) + " of an allocation of " + std::to_string(size);
}

std::string described(const Access& access, bool write) {
  return std::string(access.atomic ? "an atomic function" : write ? "a write" : "a read") + " by thread " +
         std::to_string(access.thread) + " of block " + std::to_string(access.block) + " at " + source(access.code);
}

/** The allocation that was found last, because neighbours follow each other. */
thread_local CUdeviceptr foundBase = 0;
thread_local size_t foundBytes = 0;
thread_local uint32_t foundIn = 0;

bool isDeviceMemory(uintptr_t address, size_t bytes) {
  if (foundIn == launch && address >= foundBase && address + bytes <= foundBase + foundBytes) return true;
  CUdeviceptr base = 0;
  size_t size = 0;
  if (!allocationOf(address, base, size) || address + bytes > base + size) return false;
  foundBase = base;
  foundBytes = size;
  foundIn = launch;
  return true;
}

bool isModuleData(const void* address) {
  Dl_info info;
  return dladdr(const_cast<void*>(address), &info) != 0;
}

void touched(const volatile void* place, size_t bytes, bool write, bool atomic, const void* code) {
  BlockRunner* runner = currentRunner();
  if (!runner || bytes == 0 || runner->isStack(place) || runner->isThread(place)) return;
  const auto address = uintptr_t(place);
  const bool shared = runner->isShared(place, bytes);
  if (!shared && !isDeviceMemory(address, bytes)) {
    if (!write && isModuleData(const_cast<const void*>(place))) return;
    char text[120];
    std::snprintf(text, sizeof text, ": %s of %zu bytes at %#llx outside of all memory, at ",
                  write ? "a write" : "a read", bytes, (unsigned long long)address);
    runner->fail(runner->place(runner->current()) + text + source(code));
  }
  const Thread& thread = runner->current();
  Access now{launch, 0, atomic, uint16_t(thread.index), runner->blockNumber(), runner->blockEpoch(), thread.warpEpoch, code};
  for (uintptr_t at = address & ~uintptr_t(3); at < address + bytes; at += 4) {
    now.bytes = 0;
    for (unsigned byte = 0; byte < 4; byte++)
      if (at + byte >= address && at + byte < address + bytes) now.bytes |= uint8_t(1u << byte);
    Word& word = wordAt(at);
    const Access* earlier = conflicts(word.write, now)                 ? &word.write
                            : write && conflicts(word.read, now)      ? &word.read
                            : write && conflicts(word.otherRead, now) ? &word.otherRead
                                                                      : nullptr;
    if (earlier)
      runner->fail("race in kernel " + std::string(runner->kernelName()) + " in " + where(*runner, address, bytes) +
                   ": " + described(now, write) + ", and " + described(*earlier, earlier == &word.write) +
                   ", with nothing that orders them");
    if (write) {
      word.write = now;
    } else {
      if (word.read.launch != launch || word.read.thread != now.thread || word.read.block != now.block)
        word.otherRead = word.read;
      word.read = now;
    }
  }
}

}  // namespace

void forgetAccesses(const void* memory, size_t bytes) {
  if (!settings().races) return;
  const auto address = uintptr_t(memory);
  for (uintptr_t at = address & ~uintptr_t(3); at < address + bytes; at += 4) {
    const auto page = pages().find(at / pageBytes);
    if (page != pages().end()) (*page->second)[at % pageBytes / 4] = Word();
  }
}

void beginLaunchAccesses() { launch++; }

}  // namespace lazyscope

using lazyscope::touched;

void lazyscopeAtomicAccess(const volatile void* address, unsigned bytes) {
  if (lazyscope::settings().races) touched(address, bytes, true, true, __builtin_return_address(0));
}

// The names that compilers call (GCC and clang agree on them).
#define LAZYSCOPE_ACCESS(name, bytes, write)                                        \
  extern "C" __attribute__((visibility("default"))) void name(void* address);       \
  void name(void* address) { touched(address, bytes, write, false, __builtin_return_address(0)); }
LAZYSCOPE_ACCESS(__tsan_read1, 1, false)
LAZYSCOPE_ACCESS(__tsan_read2, 2, false)
LAZYSCOPE_ACCESS(__tsan_read4, 4, false)
LAZYSCOPE_ACCESS(__tsan_read8, 8, false)
LAZYSCOPE_ACCESS(__tsan_read16, 16, false)
LAZYSCOPE_ACCESS(__tsan_unaligned_read2, 2, false)
LAZYSCOPE_ACCESS(__tsan_unaligned_read4, 4, false)
LAZYSCOPE_ACCESS(__tsan_unaligned_read8, 8, false)
LAZYSCOPE_ACCESS(__tsan_unaligned_read16, 16, false)
LAZYSCOPE_ACCESS(__tsan_volatile_read1, 1, false)
LAZYSCOPE_ACCESS(__tsan_volatile_read2, 2, false)
LAZYSCOPE_ACCESS(__tsan_volatile_read4, 4, false)
LAZYSCOPE_ACCESS(__tsan_volatile_read8, 8, false)
LAZYSCOPE_ACCESS(__tsan_write1, 1, true)
LAZYSCOPE_ACCESS(__tsan_write2, 2, true)
LAZYSCOPE_ACCESS(__tsan_write4, 4, true)
LAZYSCOPE_ACCESS(__tsan_write8, 8, true)
LAZYSCOPE_ACCESS(__tsan_write16, 16, true)
LAZYSCOPE_ACCESS(__tsan_unaligned_write2, 2, true)
LAZYSCOPE_ACCESS(__tsan_unaligned_write4, 4, true)
LAZYSCOPE_ACCESS(__tsan_unaligned_write8, 8, true)
LAZYSCOPE_ACCESS(__tsan_unaligned_write16, 16, true)
LAZYSCOPE_ACCESS(__tsan_volatile_write1, 1, true)
LAZYSCOPE_ACCESS(__tsan_volatile_write2, 2, true)
LAZYSCOPE_ACCESS(__tsan_volatile_write4, 4, true)
LAZYSCOPE_ACCESS(__tsan_volatile_write8, 8, true)

extern "C" {
void __tsan_init();
void __tsan_func_entry(void* code);
void __tsan_func_exit();
void __tsan_read_range(void* address, size_t bytes);
void __tsan_write_range(void* address, size_t bytes);
void* __tsan_memcpy(void* to, const void* from, size_t bytes);
void* __tsan_memmove(void* to, const void* from, size_t bytes);
void* __tsan_memset(void* to, int value, size_t bytes);
void __tsan_atomic_thread_fence(int order);
}

void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_read_range(void* address, size_t bytes) {
  touched(address, bytes, false, false, __builtin_return_address(0));
}
void __tsan_write_range(void* address, size_t bytes) {
  touched(address, bytes, true, false, __builtin_return_address(0));
}
void* __tsan_memcpy(void* to, const void* from, size_t bytes) {
  touched(from, bytes, false, false, __builtin_return_address(0));
  touched(to, bytes, true, false, __builtin_return_address(0));
  return __builtin_memcpy(to, from, bytes);
}
void* __tsan_memmove(void* to, const void* from, size_t bytes) {
  touched(from, bytes, false, false, __builtin_return_address(0));
  touched(to, bytes, true, false, __builtin_return_address(0));
  return __builtin_memmove(to, from, bytes);
}
void* __tsan_memset(void* to, int value, size_t bytes) {
  touched(to, bytes, true, false, __builtin_return_address(0));
  return __builtin_memset(to, value, bytes);
}
void __tsan_atomic_thread_fence(int) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
