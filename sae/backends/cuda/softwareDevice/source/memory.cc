#include "memory.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>

#include "errors.h"
#include "races.h"
#include "settings.h"
#include "streams.h"

namespace lazyscope {
namespace {

/** NaN as a float and as a double; as an index far outside of everything. */
constexpr unsigned char poison = 0xff;
/** The alignment that cuMemAlloc promises. */
constexpr size_t alignment = 256;

std::mutex mutex;
size_t used = 0;

using Allocations = std::map<CUdeviceptr, size_t>;
Allocations& allocations() {
  static auto* map = new Allocations();
  return *map;
}
Allocations& pinned() {
  static auto* map = new Allocations();
  return *map;
}

/** The allocation at or below the address. */
Allocations::const_iterator before(const Allocations& all, CUdeviceptr address) {
  auto after = all.upper_bound(address);
  return after == all.begin() ? all.end() : --after;
}

bool within(const Allocations& all, CUdeviceptr address, size_t bytes) {
  const auto found = before(all, address);
  return found != all.end() && address + bytes <= found->first + found->second;
}

}  // namespace

std::string outsideMemory(CUdeviceptr address, size_t bytes) {
  std::lock_guard lock(mutex);
  if (within(allocations(), address, bytes)) return "";
  const auto found = before(allocations(), address);
  char text[200];
  if (found != allocations().end() && address < found->first + found->second)
    std::snprintf(text, sizeof text, "%zu bytes from byte %llu of an allocation of %zu bytes", bytes,
                  address - found->first, found->second);
  else
    std::snprintf(text, sizeof text, "%zu bytes at %#llx, which is no memory of the device", bytes, address);
  return text;
}

bool allocationOf(CUdeviceptr address, CUdeviceptr& base, size_t& bytes) {
  std::lock_guard lock(mutex);
  const auto found = before(allocations(), address);
  if (found == allocations().end() || address >= found->first + found->second) return false;
  base = found->first;
  bytes = found->second;
  return true;
}

bool isPinned(const void* memory, size_t bytes) {
  std::lock_guard lock(mutex);
  return within(pinned(), CUdeviceptr(memory), bytes);
}

void freeAllMemory() {
  std::lock_guard lock(mutex);
  for (const auto& [address, bytes] : allocations()) std::free(reinterpret_cast<void*>(address));
  allocations().clear();
  used = 0;
}

static void* allocate(size_t bytes) {
  void* memory = nullptr;
  if (posix_memalign(&memory, alignment, bytes) != 0) return nullptr;
  std::memset(memory, poison, bytes);
  return memory;
}

}  // namespace lazyscope

using namespace lazyscope;

CUresult cuMemGetInfo_v2(size_t* free, size_t* total) {
  std::lock_guard lock(mutex);
  *total = settings().memory;
  *free = *total - std::min(*total, used);
  return CUDA_SUCCESS;
}

CUresult cuMemAlloc_v2(CUdeviceptr* address, size_t bytes) {
  if (lasting() != CUDA_SUCCESS) return lasting();
  if (bytes == 0) return fail(CUDA_ERROR_INVALID_VALUE, "cuMemAlloc of 0 bytes");
  std::lock_guard lock(mutex);
  if (bytes > settings().memory - std::min(settings().memory, used))
    return fail(CUDA_ERROR_OUT_OF_MEMORY, std::to_string(bytes) + " bytes wanted, " + std::to_string(used) + " of " +
                                              std::to_string(settings().memory) + " in use");
  void* memory = allocate(bytes);
  if (!memory) return fail(CUDA_ERROR_OUT_OF_MEMORY, std::to_string(bytes) + " bytes wanted");
  *address = CUdeviceptr(memory);
  allocations()[*address] = bytes;
  used += bytes;
  forgetAccesses(memory, bytes);
  return CUDA_SUCCESS;
}

CUresult cuMemFree_v2(CUdeviceptr address) {
  // As on a GPU, this waits for everything that may use the memory.
  const CUresult finished = runEverything();
  if (finished != CUDA_SUCCESS) return finished;
  std::lock_guard lock(mutex);
  const auto found = allocations().find(address);
  if (found == allocations().end()) return fail(CUDA_ERROR_INVALID_VALUE, "cuMemFree of what is not allocated");
  std::memset(reinterpret_cast<void*>(address), poison, found->second);
  used -= found->second;
  allocations().erase(found);
  std::free(reinterpret_cast<void*>(address));
  return CUDA_SUCCESS;
}

CUresult cuMemHostAlloc(void** memory, size_t bytes, unsigned) {
  if (lasting() != CUDA_SUCCESS) return lasting();
  *memory = allocate(std::max<size_t>(bytes, 1));
  if (!*memory) return fail(CUDA_ERROR_OUT_OF_MEMORY, std::to_string(bytes) + " bytes of pinned host memory wanted");
  std::lock_guard lock(mutex);
  pinned()[CUdeviceptr(*memory)] = bytes;
  return CUDA_SUCCESS;
}

CUresult cuMemFreeHost(void* memory) {
  const CUresult finished = runEverything();
  if (finished != CUDA_SUCCESS) return finished;
  std::lock_guard lock(mutex);
  if (pinned().erase(CUdeviceptr(memory)) == 0)
    return fail(CUDA_ERROR_INVALID_VALUE, "cuMemFreeHost of what is not allocated");
  std::free(memory);
  return CUDA_SUCCESS;
}
