#include "errors.h"

#include <cstring>
#include <map>
#include <mutex>

#include "devices.h"

namespace lazyscope {
namespace {

struct Text {
  CUresult code;
  const char* name;
  const char* description;
};

constexpr Text texts[] = {
    {CUDA_SUCCESS, "CUDA_SUCCESS", "no error"},
    {CUDA_ERROR_INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
    {CUDA_ERROR_OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
    {CUDA_ERROR_NOT_INITIALIZED, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"},
    {CUDA_ERROR_INVALID_DEVICE, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
    {CUDA_ERROR_INVALID_IMAGE, "CUDA_ERROR_INVALID_IMAGE", "device kernel image is invalid"},
    {CUDA_ERROR_INVALID_CONTEXT, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
    {CUDA_ERROR_INVALID_HANDLE, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"},
    {CUDA_ERROR_NOT_FOUND, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
    {CUDA_ERROR_NOT_READY, "CUDA_ERROR_NOT_READY", "device not ready"},
    {CUDA_ERROR_ILLEGAL_ADDRESS, "CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"},
    {CUDA_ERROR_LAUNCH_FAILED, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"},
    {CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED",
     "operation not permitted when stream is capturing"},
    {CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED",
     "operation failed due to a previous error during capture"},
    {CUDA_ERROR_STREAM_CAPTURE_MERGE, "CUDA_ERROR_STREAM_CAPTURE_MERGE",
     "operation would result in a merge of separate capture sequences"},
    {CUDA_ERROR_STREAM_CAPTURE_UNJOINED, "CUDA_ERROR_STREAM_CAPTURE_UNJOINED",
     "capturing stream has unjoined work"},
    {CUDA_ERROR_STREAM_CAPTURE_ISOLATION, "CUDA_ERROR_STREAM_CAPTURE_ISOLATION",
     "dependency created on uncaptured work in another stream"},
    {CUDA_ERROR_STREAM_CAPTURE_IMPLICIT, "CUDA_ERROR_STREAM_CAPTURE_IMPLICIT",
     "operation would make the legacy stream depend on a capturing blocking stream"},
    {CUDA_ERROR_CAPTURED_EVENT, "CUDA_ERROR_CAPTURED_EVENT",
     "operation not permitted on an event last recorded in a capturing stream"},
    {CUDA_ERROR_STREAM_CAPTURE_UNMATCHED, "CUDA_ERROR_STREAM_CAPTURE_UNMATCHED",
     "the capture was not begun on this stream"},
};

const Text* find(CUresult code) {
  for (const Text& text : texts)
    if (text.code == code) return &text;
  return nullptr;
}

std::mutex mutex;
CUresult stays[mostDevices] = {};

/** The text that cuGetErrorString last gave for each code: the caller keeps the pointer. */
std::map<CUresult, std::string>& details() {
  static auto* map = new std::map<CUresult, std::string>();
  return *map;
}

}  // namespace

CUresult fail(CUresult code, const std::string& detail) {
  std::lock_guard lock(mutex);
  const CUresult lasts = stays[activeDevice()];
  if (lasts == CUDA_SUCCESS || code != lasts) details()[code] = std::string(find(code)->description) + " (" + detail + ")";
  return code;
}

CUresult failForGood(CUresult code, const std::string& detail) {
  CUresult& lasts = stays[activeDevice()];
  if (lasts != CUDA_SUCCESS) return lasts;
  fail(code, detail);
  return lasts = code;
}

CUresult lasting() { return stays[activeDevice()]; }

void forgetFailure(int device) { stays[device] = CUDA_SUCCESS; }

}  // namespace lazyscope

CUresult cuGetErrorName(CUresult code, const char** name) {
  const auto* text = lazyscope::find(code);
  *name = text ? text->name : nullptr;
  return text ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

CUresult cuGetErrorString(CUresult code, const char** text) {
  std::lock_guard lock(lazyscope::mutex);
  const auto detail = lazyscope::details().find(code);
  const auto* known = lazyscope::find(code);
  *text = detail != lazyscope::details().end() ? detail->second.c_str() : known ? known->description : nullptr;
  return known ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}
