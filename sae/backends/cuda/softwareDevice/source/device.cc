/** The devices, and the one context of each. */
#include <dlfcn.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

#include <algorithm>
#include <array>

#include "devices.h"
#include "errors.h"
#include "limits.h"
#include "memory.h"
#include "settings.h"
#include "streams.h"

struct CUctx_st {
  int device;
};

using namespace lazyscope;

namespace {
bool initialised = false;
CUctx_st primary[mostDevices] = {{0}, {1}, {2}, {3}, {4}, {5}, {6}, {7}};
thread_local CUcontext current = nullptr;
/** Set with the streams' lock held, by one thread at a time. */
int running = -1;

int count() { return int(std::clamp<uint64_t>(settings().devices, 1, mostDevices)); }
}  // namespace

namespace lazyscope {

int currentDevice() { return current ? current->device : -1; }
int activeDevice() { return running >= 0 ? running : std::max(0, currentDevice()); }
Running::Running(int device) : before_(running) { running = device; }
Running::~Running() { running = before_; }

}  // namespace lazyscope

CUresult cuInit(unsigned) {
  // Modules call functions of this library by name; whoever loaded it may have kept its names to itself.
  Dl_info info;
  if (!dladdr(reinterpret_cast<void*>(&cuInit), &info) || !dlopen(info.dli_fname, RTLD_NOW | RTLD_GLOBAL | RTLD_NOLOAD))
    return fail(CUDA_ERROR_NOT_INITIALIZED, "the software device can't make its functions known to its modules");
  initialised = true;
  return CUDA_SUCCESS;
}

CUresult cuDriverGetVersion(int* version) {
  *version = 12080;
  return CUDA_SUCCESS;
}

CUresult cuDeviceGetCount(int* number) {
  if (!initialised) return fail(CUDA_ERROR_NOT_INITIALIZED, "cuInit comes first");
  *number = count();
  return CUDA_SUCCESS;
}

CUresult cuDeviceGet(CUdevice* device, int ordinal) {
  if (!initialised) return fail(CUDA_ERROR_NOT_INITIALIZED, "cuInit comes first");
  if (ordinal < 0 || ordinal >= count())
    return fail(CUDA_ERROR_INVALID_DEVICE, "there are " + std::to_string(count()) + " devices, the first is number 0");
  *device = ordinal;
  return CUDA_SUCCESS;
}

CUresult cuDeviceGetName(char* name, int bytes, CUdevice device) {
  if (count() == 1) std::snprintf(name, size_t(bytes), "Lazyscope software device");
  else std::snprintf(name, size_t(bytes), "Lazyscope software device %d", device);
  return CUDA_SUCCESS;
}

CUresult cuDeviceGetUuid_v2(unsigned char* uuid, CUdevice device) {
  // The devices of each process are its own.
  const int numbers[4] = {0x4c617a79, 0x73636f70, int(getpid()), device};
  std::memcpy(uuid, numbers, 16);
  return CUDA_SUCCESS;
}

CUresult cuDeviceGetAttribute(int* value, int attribute, CUdevice) {
  switch (attribute) {
    case 1: *value = int(limits::threadsPerBlock); break;
    case 2: case 3: *value = 1024; break;                     // block x and y
    case 4: *value = 64; break;                               // block z
    case 5: *value = 0x7fffffff; break;                       // grid x
    case 6: case 7: *value = 65535; break;                    // grid y and z
    case 8: *value = int(limits::sharedBytes); break;         // shared memory a block
    case 10: *value = 32; break;                              // warp
    case 12: *value = 65536; break;                           // registers a block
    case 13: *value = 1'000'000; break;                       // kHz
    case 15: case 31: case 32: case 41: case 83: *value = 1; break;  // overlap, concurrent kernels, ECC, unified addresses
    case 16: *value = limits::multiprocessors; break;
    case 36: *value = 1'000'000; break;                       // memory clock, kHz
    case 37: *value = 128; break;                             // memory bus, bits
    case 38: *value = limits::l2Bytes; break;
    case 39: *value = 2048; break;                            // threads a multiprocessor
    case 40: *value = 1; break;                               // copy engines
    case 75: *value = limits::major; break;
    case 76: *value = limits::minor; break;
    case 81: *value = int(limits::sharedBytesOptIn + 1024); break;  // shared memory a multiprocessor
    case 82: *value = 65536; break;                           // registers a multiprocessor
    case 97: *value = int(limits::sharedBytesOptIn); break;
    default:
      return fail(CUDA_ERROR_INVALID_VALUE, "device attribute " + std::to_string(attribute) + " is not answered");
  }
  return CUDA_SUCCESS;
}

CUresult cuDeviceTotalMem_v2(size_t* bytes, CUdevice) {
  *bytes = settings().memory;
  return CUDA_SUCCESS;
}

CUresult cuDevicePrimaryCtxRetain(CUcontext* context, CUdevice device) {
  if (!initialised) return fail(CUDA_ERROR_NOT_INITIALIZED, "cuInit comes first");
  if (device < 0 || device >= count()) return fail(CUDA_ERROR_INVALID_DEVICE, "no such device");
  *context = &primary[device];
  return CUDA_SUCCESS;
}

CUresult cuDevicePrimaryCtxRelease_v2(CUdevice) { return CUDA_SUCCESS; }

CUresult cuDevicePrimaryCtxReset_v2(CUdevice device) {
  forgetWork(device);
  forgetFailure(device);
  freeAllMemory(device);
  return CUDA_SUCCESS;
}

CUresult cuCtxSetCurrent(CUcontext context) {
  if (context && (context < primary || context >= primary + count())) return fail(CUDA_ERROR_INVALID_CONTEXT, "no such context");
  current = context;
  return CUDA_SUCCESS;
}

CUresult cuCtxGetCurrent(CUcontext* context) {
  *context = current;
  return CUDA_SUCCESS;
}
