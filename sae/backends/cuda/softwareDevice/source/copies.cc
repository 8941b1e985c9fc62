/**
 * Copies and fills. A copy from pageable host memory takes its bytes at once and a copy into pageable memory waits, as the
 * driver does both (API synchronization behavior); only pinned memory is read and written when the stream gets there.
 */
#include <cstring>
#include <memory>
#include <vector>

#include "errors.h"
#include "memory.h"
#include "streams.h"

using namespace lazyscope;

namespace {

void* host(CUdeviceptr address) { return reinterpret_cast<void*>(address); }

/** Refuses a range that leaves its allocation. */
CUresult checked(const char* call, CUdeviceptr address, size_t bytes) {
  if (bytes == 0) return lasting();
  const std::string wrong = outsideMemory(address, bytes);
  return wrong.empty() ? lasting() : fail(CUDA_ERROR_INVALID_VALUE, std::string(call) + ": " + wrong);
}

/** The same when the copy runs: the memory may have been freed meanwhile. */
CUresult move(const char* call, void* to, const void* from, size_t bytes, CUdeviceptr device, CUdeviceptr other = 0) {
  std::string wrong = outsideMemory(device, bytes);
  if (wrong.empty() && other) wrong = outsideMemory(other, bytes);
  if (!wrong.empty()) return failForGood(CUDA_ERROR_ILLEGAL_ADDRESS, std::string(call) + ": " + wrong);
  std::memmove(to, from, bytes);
  return CUDA_SUCCESS;
}

}  // namespace

CUresult cuMemcpyHtoD_v2(CUdeviceptr to, const void* from, size_t bytes) {
  if (const CUresult r = checked("cuMemcpyHtoD", to, bytes)) return r;
  if (const CUresult r = runDefaultStream()) return r;
  return bytes ? move("cuMemcpyHtoD", host(to), from, bytes, to) : CUDA_SUCCESS;
}

CUresult cuMemcpyDtoH_v2(void* to, CUdeviceptr from, size_t bytes) {
  if (const CUresult r = checked("cuMemcpyDtoH", from, bytes)) return r;
  if (const CUresult r = runDefaultStream()) return r;
  return bytes ? move("cuMemcpyDtoH", to, host(from), bytes, from) : CUDA_SUCCESS;
}

CUresult cuMemcpyDtoD_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes) {
  return cuMemcpyDtoDAsync_v2(to, from, bytes, nullptr);
}

CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void* from, size_t bytes, CUstream stream) {
  if (const CUresult r = checked("cuMemcpyHtoDAsync", to, bytes)) return r;
  if (bytes == 0) return CUDA_SUCCESS;
  if (isPinned(from, bytes))
    return enqueue(stream, [=] { return move("cuMemcpyHtoDAsync", host(to), from, bytes, to); });
  if (const CUresult refused = refusePageable(stream, "cuMemcpyHtoDAsync")) return refused;
  const auto p = static_cast<const unsigned char*>(from);
  const auto staged = std::make_shared<std::vector<unsigned char>>(p, p + bytes);
  return enqueue(stream, [=] { return move("cuMemcpyHtoDAsync", host(to), staged->data(), bytes, to); });
}

CUresult cuMemcpyDtoHAsync_v2(void* to, CUdeviceptr from, size_t bytes, CUstream stream) {
  if (const CUresult r = checked("cuMemcpyDtoHAsync", from, bytes)) return r;
  if (bytes == 0) return CUDA_SUCCESS;
  if (!isPinned(to, bytes))
    if (const CUresult refused = refusePageable(stream, "cuMemcpyDtoHAsync")) return refused;
  const CUresult r = enqueue(stream, [=] { return move("cuMemcpyDtoHAsync", to, host(from), bytes, from); });
  return r != CUDA_SUCCESS || isPinned(to, bytes) ? r : runStream(stream);
}

CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream) {
  if (const CUresult r = checked("cuMemcpyDtoDAsync", to, bytes)) return r;
  if (const CUresult r = checked("cuMemcpyDtoDAsync", from, bytes)) return r;
  if (bytes == 0) return CUDA_SUCCESS;
  if (to < from + bytes && from < to + bytes)
    return fail(CUDA_ERROR_INVALID_VALUE, "cuMemcpyDtoDAsync between ranges that overlap");
  return enqueue(stream, [=] { return move("cuMemcpyDtoDAsync", host(to), host(from), bytes, to, from); });
}

namespace {

template <class T>
CUresult fill(const char* call, CUdeviceptr to, T value, size_t count, CUstream stream) {
  const size_t bytes = count * sizeof(T);
  if (const CUresult r = checked(call, to, bytes)) return r;
  if (to % sizeof(T) != 0) return fail(CUDA_ERROR_INVALID_VALUE, std::string(call) + " at an odd address");
  if (count == 0) return CUDA_SUCCESS;
  return enqueue(stream, [=] {
    const std::string wrong = outsideMemory(to, bytes);
    if (!wrong.empty()) return failForGood(CUDA_ERROR_ILLEGAL_ADDRESS, std::string(call) + ": " + wrong);
    T* place = static_cast<T*>(host(to));
    for (size_t i = 0; i < count; i++) place[i] = value;
    return CUresult(CUDA_SUCCESS);
  });
}

}  // namespace

CUresult cuMemsetD8Async(CUdeviceptr to, unsigned char value, size_t count, CUstream stream) {
  return fill("cuMemsetD8Async", to, value, count, stream);
}

CUresult cuMemsetD32Async(CUdeviceptr to, unsigned value, size_t count, CUstream stream) {
  return fill("cuMemsetD32Async", to, value, count, stream);
}

CUresult cuMemsetD32_v2(CUdeviceptr to, unsigned value, size_t count) {
  return fill("cuMemsetD32", to, value, count, nullptr);
}
