#include "memory.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>

#include "devices.h"
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
size_t used[mostDevices] = {};

struct Allocation {
  size_t bytes;
  int device;
};
using Allocations = std::map<CUdeviceptr, Allocation>;
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
  return found != all.end() && address + bytes <= found->first + found->second.bytes;
}

/** Of memory that one device alone reaches. */
bool isOurs(CUdeviceptr address) {
  const auto found = before(allocations(), address);
  return found != allocations().end() && found->second.device == activeDevice();
}

}  // namespace

std::string outsideMemory(CUdeviceptr address, size_t bytes) {
  std::lock_guard lock(mutex);
  if (within(allocations(), address, bytes) && isOurs(address)) return "";
  const auto found = before(allocations(), address);
  char text[200];
  if (found != allocations().end() && address < found->first + found->second.bytes)
    std::snprintf(text, sizeof text, "%zu bytes from byte %llu of an allocation of %zu bytes%s", bytes,
                  address - found->first, found->second.bytes, isOurs(address) ? "" : " on another device");
  else
    std::snprintf(text, sizeof text, "%zu bytes at %#llx, which is no memory of the device", bytes, address);
  return text;
}

bool allocationOf(CUdeviceptr address, CUdeviceptr& base, size_t& bytes) {
  std::lock_guard lock(mutex);
  const auto found = before(allocations(), address);
  if (found == allocations().end() || address >= found->first + found->second.bytes || !isOurs(address)) return false;
  base = found->first;
  bytes = found->second.bytes;
  return true;
}

bool isPinned(const void* memory, size_t bytes) {
  std::lock_guard lock(mutex);
  return within(pinned(), CUdeviceptr(memory), bytes);
}

void freeAllMemory(int device) {
  std::lock_guard lock(mutex);
  for (auto at = allocations().begin(); at != allocations().end();)
    if (at->second.device == device) {
      std::free(reinterpret_cast<void*>(at->first));
      at = allocations().erase(at);
    } else {
      at++;
    }
  used[device] = 0;
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
  *free = *total - std::min(*total, used[activeDevice()]);
  return CUDA_SUCCESS;
}

CUresult cuMemAlloc_v2(CUdeviceptr* address, size_t bytes) {
  if (lasting() != CUDA_SUCCESS) return lasting();
  if (currentDevice() < 0) return fail(CUDA_ERROR_INVALID_CONTEXT, "no context is current");
  if (bytes == 0) return fail(CUDA_ERROR_INVALID_VALUE, "cuMemAlloc of 0 bytes");
  if (const CUresult refused = refuseUnsafe("cuMemAlloc")) return refused;
  std::lock_guard lock(mutex);
  size_t& taken = used[currentDevice()];
  if (bytes > settings().memory - std::min(settings().memory, taken))
    return fail(CUDA_ERROR_OUT_OF_MEMORY, std::to_string(bytes) + " bytes wanted, " + std::to_string(taken) + " of " +
                                              std::to_string(settings().memory) + " in use");
  void* memory = allocate(bytes);
  if (!memory) return fail(CUDA_ERROR_OUT_OF_MEMORY, std::to_string(bytes) + " bytes wanted");
  *address = CUdeviceptr(memory);
  allocations()[*address] = {bytes, currentDevice()};
  taken += bytes;
  forgetAccesses(memory, bytes);
  return CUDA_SUCCESS;
}

CUresult cuMemFree_v2(CUdeviceptr address) {
  if (const CUresult refused = refuseUnsafe("cuMemFree")) return refused;
  // As on a GPU, this waits for everything that may use the memory.
  const CUresult finished = runEverything();
  if (finished != CUDA_SUCCESS) return finished;
  std::lock_guard lock(mutex);
  const auto found = allocations().find(address);
  if (found == allocations().end()) return fail(CUDA_ERROR_INVALID_VALUE, "cuMemFree of what is not allocated");
  if (!isOurs(address)) return fail(CUDA_ERROR_INVALID_VALUE, "cuMemFree of memory of another device");
  std::memset(reinterpret_cast<void*>(address), poison, found->second.bytes);
  used[found->second.device] -= found->second.bytes;
  allocations().erase(found);
  std::free(reinterpret_cast<void*>(address));
  return CUDA_SUCCESS;
}

CUresult cuMemHostAlloc(void** memory, size_t bytes, unsigned) {
  if (lasting() != CUDA_SUCCESS) return lasting();
  if (const CUresult refused = refuseUnsafe("cuMemHostAlloc")) return refused;
  *memory = allocate(std::max<size_t>(bytes, 1));
  if (!*memory) return fail(CUDA_ERROR_OUT_OF_MEMORY, std::to_string(bytes) + " bytes of pinned host memory wanted");
  std::lock_guard lock(mutex);
  pinned()[CUdeviceptr(*memory)] = {bytes, activeDevice()};
  return CUDA_SUCCESS;
}

CUresult cuMemFreeHost(void* memory) {
  if (const CUresult refused = refuseUnsafe("cuMemFreeHost")) return refused;
  const CUresult finished = runEverything();
  if (finished != CUDA_SUCCESS) return finished;
  std::lock_guard lock(mutex);
  if (pinned().erase(CUdeviceptr(memory)) == 0)
    return fail(CUDA_ERROR_INVALID_VALUE, "cuMemFreeHost of what is not allocated");
  std::free(memory);
  return CUDA_SUCCESS;
}
