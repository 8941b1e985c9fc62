#include "streamState.h"

#include "settings.h"

namespace lazyscope {

std::recursive_mutex& streamMutex() {
  static auto* mutex = new std::recursive_mutex();
  return *mutex;
}

static CUstream defaultStreamOf(int device) {
  static auto* all = [] {
    auto* made = new CUstream_st[mostDevices]();
    for (int i = 0; i < mostDevices; i++) made[i].device = i;
    return made;
  }();
  return all + device;
}

CUstream defaultStream() { return defaultStreamOf(activeDevice()); }

std::vector<CUstream>& streams() {
  static auto* all = [] {
    auto* made = new std::vector<CUstream>();
    for (int i = 0; i < mostDevices; i++) made->push_back(defaultStreamOf(i));
    return made;
  }();
  return *all;
}

std::unordered_set<CUevent>& events() {
  static auto* all = new std::unordered_set<CUevent>();
  return *all;
}

bool isStream(CUstream stream) { return std::find(streams().begin(), streams().end(), stream) != streams().end(); }

CUstream named(CUstream stream) { return stream ? stream : defaultStream(); }

CUresult unknown(const char* what) { return fail(CUDA_ERROR_INVALID_HANDLE, what); }

CUresult elsewhere(int device, const char* what) {
  if (currentDevice() == device) return CUDA_SUCCESS;
  if (currentDevice() < 0) return fail(CUDA_ERROR_INVALID_CONTEXT, "no context is current");
  return fail(CUDA_ERROR_INVALID_HANDLE, std::string(what) + " belongs to device " + std::to_string(device) +
                                             ", and the context of device " + std::to_string(currentDevice()) + " is current");
}

CUresult runUntil(CUstream stream, uint64_t position) {
  const Running running(stream->device);
  while (stream->done < position && !stream->queue.empty()) {
    if (lasting() != CUDA_SUCCESS) return lasting();
    if (stream->running) return CUDA_SUCCESS;  // asked for by its own work, further down the call stack
    stream->running = true;
    Work work = std::move(stream->queue.front());
    stream->queue.pop_front();
    const CUresult result = work();
    stream->running = false;
    stream->done++;
    if (result != CUDA_SUCCESS) return result;
  }
  return lasting();
}

namespace {

/** How much work is queued that waits for other processes. */
int together = 0;

void push(CUstream stream, Work work) {
  stream->queue.push_back(std::move(work));
  stream->queued++;
}

/** Everything queued on `other` comes before what is queued next on `stream`. */
void order(CUstream stream, CUstream other) {
  if (other == stream || other->queued == other->done) return;
  push(stream, [other, position = other->queued] { return isStream(other) ? runUntil(other, position) : CUresult(CUDA_SUCCESS); });
}

/** With a random order, sometimes runs some of what is queued somewhere. */
CUresult runSome() {
  static Random random(settings().order);
  if (!settings().order || together > 0 || random.below(3) != 0) return CUDA_SUCCESS;
  CUstream stream = streams()[random.below(streams().size())];
  const uint64_t queued = stream->queued - stream->done;
  return queued ? runUntil(stream, stream->done + 1 + random.below(queued)) : CUDA_SUCCESS;
}

}  // namespace

CUresult enqueue(CUstream given, Work work) {
  Lock lock(streamMutex());
  CUstream stream = named(given);
  if (!isStream(stream)) return unknown("no such stream");
  if (const CUresult wrong = elsewhere(stream->device, "the stream")) return wrong;
  if (lasting() != CUDA_SUCCESS) return lasting();
  if (stream->capture) return captureWork(stream, std::move(work));
  if (stream == defaultStream()) {
    for (CUstream other : streams())
      if (other->device == stream->device && other->blocking && other->capture)
        return invalidate(*other->capture, CUDA_ERROR_STREAM_CAPTURE_IMPLICIT,
                          "work of the default stream would wait for a stream that captures");
    for (CUstream other : streams())
      if (other->device == stream->device && other->blocking) order(stream, other);
  } else if (stream->blocking) {
    order(stream, defaultStream());
  }
  push(stream, std::move(work));
  return runSome();
}

CUresult enqueueTogether(CUstream stream, Work work) {
  Lock lock(streamMutex());
  if (isStream(named(stream)) && named(stream)->capture)
    return invalidate(*named(stream)->capture, CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED,
                      "a call of NCCL must be captured by all ranks or by none, and nothing here sees to that");
  together++;
  const CUresult queued = enqueue(stream, [work = std::move(work)] {
    together--;
    return work();
  });
  if (queued != CUDA_SUCCESS) together--;
  return queued;
}

CUresult runStream(CUstream given) {
  Lock lock(streamMutex());
  CUstream stream = named(given);
  if (!isStream(stream)) return unknown("no such stream");
  if (stream->capture)
    return invalidate(*stream->capture, CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED,
                      "a stream that captures a graph can't be waited for");
  if (stream == defaultStream()) return runDefaultStream();
  return runUntil(stream, stream->queued);
}

CUresult runDefaultStream() {
  Lock lock(streamMutex());
  for (CUstream stream : streams())
    if (stream->device == activeDevice() && stream->blocking && stream->capture)
      return invalidate(*stream->capture, CUDA_ERROR_STREAM_CAPTURE_IMPLICIT,
                        "a synchronous call would wait for a stream that captures");
  for (CUstream stream : streams()) {
    if (!stream->blocking || stream->device != activeDevice()) continue;
    const CUresult result = runUntil(stream, stream->queued);
    if (result != CUDA_SUCCESS) return result;
  }
  return lasting();
}

CUresult runEverything() {
  Lock lock(streamMutex());
  for (CUstream stream : streams()) {
    if (stream->device != activeDevice()) continue;
    const CUresult result = runUntil(stream, stream->queued);
    if (result != CUDA_SUCCESS) return result;
  }
  return lasting();
}

void forgetWork(int device) {
  Lock lock(streamMutex());
  together = 0;
  std::vector<CUstream> kept;
  for (CUstream stream : streams())
    if (stream->device != device || stream == defaultStreamOf(device)) kept.push_back(stream);
    else delete stream;
  streams() = kept;
  *defaultStreamOf(device) = CUstream_st();
  defaultStreamOf(device)->device = device;
  for (auto at = events().begin(); at != events().end();)
    if ((*at)->device == device) {
      delete *at;
      at = events().erase(at);
    } else {
      at++;
    }
}

}  // namespace lazyscope

using namespace lazyscope;

CUresult cuCtxSynchronize() {
  Lock lock(streamMutex());
  if (const CUresult refused = refuseWaiting()) return refused;
  return runEverything();
}

CUresult cuStreamCreate(CUstream* stream, unsigned flags) {
  Lock lock(streamMutex());
  if (lasting() != CUDA_SUCCESS) return lasting();
  if (currentDevice() < 0) return fail(CUDA_ERROR_INVALID_CONTEXT, "no context is current");
  *stream = new CUstream_st();
  (*stream)->device = currentDevice();
  (*stream)->blocking = (flags & 1) == 0;  // CU_STREAM_NON_BLOCKING
  streams().push_back(*stream);
  return CUDA_SUCCESS;
}

CUresult cuStreamCreateWithPriority(CUstream* stream, unsigned flags, int) { return cuStreamCreate(stream, flags); }

CUresult cuStreamDestroy_v2(CUstream stream) {
  Lock lock(streamMutex());
  if (!stream || !isStream(stream)) return unknown("no such stream");
  const CUresult result = runUntil(stream, stream->queued);
  streams().erase(std::find(streams().begin(), streams().end(), stream));
  delete stream;
  return result;
}

CUresult cuStreamSynchronize(CUstream stream) { return runStream(stream); }

CUresult cuStreamQuery(CUstream given) {
  Lock lock(streamMutex());
  CUstream stream = named(given);
  if (!isStream(stream)) return unknown("no such stream");
  const bool ready = stream->queued == stream->done;
  const CUresult result = runStream(given);
  return result != CUDA_SUCCESS ? result : ready ? CUDA_SUCCESS : CUDA_ERROR_NOT_READY;
}
