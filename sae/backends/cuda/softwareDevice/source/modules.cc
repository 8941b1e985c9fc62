/** Modules: the "image" that cuModuleLoadData gets is the path of a shared library made of a .cu file. */
#include <dlfcn.h>

#include <cstring>
#include <memory>
#include <unordered_map>

#include "errors.h"
#include "launch.h"
#include "limits.h"
#include "streamState.h"

using namespace lazyscope;

struct CUfunc_st {
  int device;
  const LazyscopeKernel* kernel;
  size_t dynamicLimit;
  /** Whether the attribute was set that allows a block more than every device offers. */
  bool optedIn = false;
};

struct CUmod_st {
  void* library;
  std::unordered_map<std::string, std::unique_ptr<CUfunc_st>> functions;
};

CUresult cuModuleLoadData(CUmodule* module, const void* image) {
  if (lasting() != CUDA_SUCCESS) return lasting();
  if (const CUresult refused = refuseUnsafe("cuModuleLoadData")) return refused;
  void* library = dlopen(static_cast<const char*>(image), RTLD_NOW | RTLD_LOCAL);
  if (!library) return fail(CUDA_ERROR_INVALID_IMAGE, dlerror());
  const auto kernels = static_cast<const LazyscopeKernel*>(dlsym(library, "lazyscopeKernels"));
  const auto count = static_cast<const unsigned*>(dlsym(library, "lazyscopeKernelCount"));
  if (!kernels || !count) return fail(CUDA_ERROR_INVALID_IMAGE, "the library exports no kernels");
  *module = new CUmod_st{library, {}};
  for (unsigned i = 0; i < *count; i++)
    (*module)->functions[kernels[i].name].reset(new CUfunc_st{currentDevice(), kernels + i, limits::sharedBytes});
  return CUDA_SUCCESS;
}

CUresult cuModuleUnload(CUmodule module) {
  if (const CUresult refused = refuseUnsafe("cuModuleUnload")) return refused;
  const CUresult result = runEverything();
  dlclose(module->library);
  delete module;
  return result;
}

CUresult cuModuleGetFunction(CUfunction* function, CUmodule module, const char* name) {
  const auto found = module->functions.find(name);
  if (found == module->functions.end())
    return fail(CUDA_ERROR_NOT_FOUND, std::string("the module has no kernel ") + name);
  *function = found->second.get();
  return CUDA_SUCCESS;
}

CUresult cuFuncSetAttribute(CUfunction function, int attribute, int value) {
  if (attribute == 9) return CUDA_SUCCESS;  // CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT, a hint
  if (attribute != 8)                       // CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
    return fail(CUDA_ERROR_INVALID_VALUE, "function attribute " + std::to_string(attribute) + " can't be set");
  if (value < 0 || size_t(value) > limits::sharedBytesOptIn)
    return fail(CUDA_ERROR_INVALID_VALUE, std::string(function->kernel->name) + " wants " + std::to_string(value) +
                                              " bytes of shared memory, and a block can have " +
                                              std::to_string(limits::sharedBytesOptIn));
  function->dynamicLimit = size_t(value);
  function->optedIn = true;
  return CUDA_SUCCESS;
}

CUresult cuFuncGetAttribute(int* value, int attribute, CUfunction function) {
  switch (attribute) {
    case 0: *value = int(function->kernel->mostThreads); return CUDA_SUCCESS;
    case 1: *value = 0; return CUDA_SUCCESS;  // static shared memory: known only when a block has run
    case 3: *value = 0; return CUDA_SUCCESS;  // local memory
    case 4: *value = 32; return CUDA_SUCCESS;  // registers
    case 8: *value = int(function->dynamicLimit); return CUDA_SUCCESS;
    default:
      return fail(CUDA_ERROR_INVALID_VALUE, "function attribute " + std::to_string(attribute) + " is not answered");
  }
}

namespace {

CUresult refuse(const CUfunction function, const std::string& what) {
  return fail(CUDA_ERROR_INVALID_VALUE, std::string("launch of ") + function->kernel->name + ": " + what);
}

/** The arguments as one packed block, from either of the two ways in which cuLaunchKernel takes them. */
CUresult pack(CUfunction function, void** parameters, void** extra, std::vector<unsigned char>& packed) {
  const LazyscopeKernel& kernel = *function->kernel;
  packed.assign(kernel.packedBytes, 0);
  if (parameters && extra) return refuse(function, "kernelParams and extra are both given");
  if (parameters) {
    for (unsigned i = 0; i < kernel.parameters; i++)
      std::memcpy(packed.data() + kernel.offsets[i], parameters[i], kernel.sizes[i]);
    return CUDA_SUCCESS;
  }
  const void* buffer = nullptr;
  size_t bytes = 0;
  for (void** entry = extra; entry && *entry; entry += 2) {
    if (*entry == reinterpret_cast<void*>(1)) buffer = entry[1];
    else if (*entry == reinterpret_cast<void*>(2)) bytes = *static_cast<size_t*>(entry[1]);
    else return refuse(function, "extra has an entry that is neither a buffer nor a size");
  }
  if (kernel.packedBytes == 0) return CUDA_SUCCESS;
  // What follows the last argument is padding at most.
  if (!buffer || bytes < kernel.packedBytes || bytes > (kernel.packedBytes + 15u) / 16 * 16)
    return refuse(function, "its arguments take " + std::to_string(kernel.packedBytes) + " bytes, and " +
                                std::to_string(bytes) + " are given");
  std::memcpy(packed.data(), buffer, kernel.packedBytes);
  return CUDA_SUCCESS;
}

}  // namespace

CUresult cuLaunchKernel(CUfunction function, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX,
                        unsigned blockY, unsigned blockZ, unsigned sharedBytes, CUstream stream, void** parameters,
                        void** extra) {
  if (lasting() != CUDA_SUCCESS) return lasting();
  if (const CUresult wrong = elsewhere(function->device, function->kernel->name)) return wrong;
  const auto size = [](unsigned x, unsigned y, unsigned z) {
    return std::to_string(x) + " × " + std::to_string(y) + " × " + std::to_string(z);
  };
  const auto threads = uint64_t(blockX) * blockY * blockZ;
  if (threads == 0 || threads > limits::threadsPerBlock || blockZ > 64)
    return refuse(function, "a block of " + size(blockX, blockY, blockZ) + " threads");
  if (threads > function->kernel->mostThreads)
    return refuse(function, "a block of " + size(blockX, blockY, blockZ) + " threads, and its __launch_bounds__ allow " +
                                std::to_string(function->kernel->mostThreads));
  if (!gridX || !gridY || !gridZ || gridX > 0x7fffffffu || gridY > 65535 || gridZ > 65535)
    return refuse(function, "a grid of " + size(gridX, gridY, gridZ) + " blocks");
  if (sharedBytes > function->dynamicLimit)
    return refuse(function, std::to_string(sharedBytes) + " bytes of shared memory, and the limit set for it is " +
                                std::to_string(function->dynamicLimit));
  const size_t sharedLimit = function->optedIn ? limits::sharedBytesOptIn : limits::sharedBytes;
  Launch launch{function->kernel, {gridX, gridY, gridZ}, {blockX, blockY, blockZ}, sharedBytes, sharedLimit, {}};
  if (const CUresult r = pack(function, parameters, extra, launch.arguments)) return r;
  return enqueue(stream, [launch = std::move(launch)] {
    const std::string failure = runLaunch(launch);
    return failure.empty() ? CUresult(CUDA_SUCCESS) : failForGood(CUDA_ERROR_LAUNCH_FAILED, failure);
  });
}
