#include "streams.h"

#include <algorithm>
#include <chrono>
#include <mutex>
#include <unordered_set>

#include "errors.h"
#include "settings.h"

using lazyscope::Work;

struct CUgraph_st {
  std::vector<Work> work;
};
struct CUgraphExec_st {
  std::vector<Work> work;
};

struct CUstream_st {
  /** Whether the default stream waits for it and it for the default stream. */
  bool blocking = true;
  std::deque<Work> queue;
  /** How many pieces of work were ever queued and have been run. */
  uint64_t queued = 0, done = 0;
  bool running = false;
  /** What it captures into; shared by all streams that joined the capture. */
  std::shared_ptr<CUgraph_st> capture;
  bool captureOrigin = false;
};

struct CUevent_st {
  bool timing = true;
  /** Where it was last recorded; null stream: never. */
  CUstream stream = nullptr;
  uint64_t position = 0;
  bool complete = true;
  std::chrono::steady_clock::time_point time;
  /** The capture that it was recorded in, if any. */
  std::weak_ptr<CUgraph_st> capture;
  bool asked = false;
};

namespace lazyscope {
namespace {

std::recursive_mutex mutex;
using Lock = std::lock_guard<std::recursive_mutex>;

CUstream defaultStream() {
  static auto* stream = new CUstream_st();
  return stream;
}

std::vector<CUstream>& streams() {
  static auto* all = new std::vector<CUstream>{defaultStream()};
  return *all;
}

std::unordered_set<CUevent>& events() {
  static auto* all = new std::unordered_set<CUevent>();
  return *all;
}

bool isStream(CUstream stream) { return std::find(streams().begin(), streams().end(), stream) != streams().end(); }

CUstream named(CUstream stream) { return stream ? stream : defaultStream(); }

/** Runs the stream until `position` pieces of its work are done. */
CUresult runUntil(CUstream stream, uint64_t position) {
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
  if (!settings().order || random.below(3) != 0) return CUDA_SUCCESS;
  CUstream stream = streams()[random.below(streams().size())];
  const uint64_t queued = stream->queued - stream->done;
  return queued ? runUntil(stream, stream->done + 1 + random.below(queued)) : CUDA_SUCCESS;
}

CUresult unknown(const char* what) { return fail(CUDA_ERROR_INVALID_HANDLE, what); }

/** Whether waiting on the host is refused because a stream captures. */
bool capturing() {
  return std::any_of(streams().begin(), streams().end(), [](CUstream s) { return s->capture != nullptr; });
}

CUresult refuseCapture() {
  return fail(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, "a stream captures a graph, so that nothing can be waited for");
}

}  // namespace

CUresult enqueue(CUstream given, Work work) {
  Lock lock(mutex);
  CUstream stream = named(given);
  if (!isStream(stream)) return unknown("no such stream");
  if (lasting() != CUDA_SUCCESS) return lasting();
  if (stream->capture) {
    stream->capture->work.push_back(std::move(work));
    return CUDA_SUCCESS;
  }
  if (stream == defaultStream()) {
    for (CUstream other : streams())
      if (other->blocking) order(stream, other);
  } else if (stream->blocking) {
    order(stream, defaultStream());
  }
  push(stream, std::move(work));
  return runSome();
}

CUresult runStream(CUstream given) {
  Lock lock(mutex);
  CUstream stream = named(given);
  if (!isStream(stream)) return unknown("no such stream");
  if (stream->capture) return refuseCapture();
  if (stream == defaultStream()) return runDefaultStream();
  return runUntil(stream, stream->queued);
}

CUresult runDefaultStream() {
  Lock lock(mutex);
  for (CUstream stream : streams()) {
    if (!stream->blocking) continue;
    const CUresult result = runUntil(stream, stream->queued);
    if (result != CUDA_SUCCESS) return result;
  }
  return lasting();
}

CUresult runEverything() {
  Lock lock(mutex);
  if (capturing()) return refuseCapture();
  for (CUstream stream : streams()) {
    const CUresult result = runUntil(stream, stream->queued);
    if (result != CUDA_SUCCESS) return result;
  }
  return lasting();
}

void forgetWork() {
  Lock lock(mutex);
  for (CUstream stream : streams())
    if (stream != defaultStream()) delete stream;
  *defaultStream() = CUstream_st();
  streams().assign(1, defaultStream());
  for (CUevent event : events()) delete event;
  events().clear();
}

}  // namespace lazyscope

using namespace lazyscope;

CUresult cuCtxSynchronize() { return runEverything(); }

CUresult cuStreamCreate(CUstream* stream, unsigned flags) {
  Lock lock(mutex);
  if (lasting() != CUDA_SUCCESS) return lasting();
  *stream = new CUstream_st();
  (*stream)->blocking = (flags & 1) == 0;  // CU_STREAM_NON_BLOCKING
  streams().push_back(*stream);
  return CUDA_SUCCESS;
}

CUresult cuStreamCreateWithPriority(CUstream* stream, unsigned flags, int) { return cuStreamCreate(stream, flags); }

CUresult cuStreamDestroy_v2(CUstream stream) {
  Lock lock(mutex);
  if (!stream || !isStream(stream)) return unknown("no such stream");
  const CUresult result = runUntil(stream, stream->queued);
  streams().erase(std::find(streams().begin(), streams().end(), stream));
  delete stream;
  return result;
}

CUresult cuStreamSynchronize(CUstream stream) { return runStream(stream); }

CUresult cuStreamQuery(CUstream given) {
  Lock lock(mutex);
  CUstream stream = named(given);
  if (!isStream(stream)) return unknown("no such stream");
  const bool ready = stream->queued == stream->done;
  const CUresult result = runStream(given);
  return result != CUDA_SUCCESS ? result : ready ? CUDA_SUCCESS : CUDA_ERROR_NOT_READY;
}

CUresult cuStreamWaitEvent(CUstream given, CUevent event, unsigned) {
  Lock lock(mutex);
  CUstream stream = named(given);
  if (!isStream(stream)) return unknown("no such stream");
  if (!events().count(event)) return unknown("no such event");
  if (const auto capture = event->capture.lock()) {
    // The work of a graph keeps the order in which it was captured, so that joining is all there is to do.
    stream->capture = capture;
    return CUDA_SUCCESS;
  }
  if (!event->stream) return lasting();
  return enqueue(given, [from = event->stream, position = event->position] {
    return isStream(from) ? runUntil(from, position) : CUresult(CUDA_SUCCESS);
  });
}

CUresult cuEventCreate(CUevent* event, unsigned flags) {
  Lock lock(mutex);
  if (lasting() != CUDA_SUCCESS) return lasting();
  *event = new CUevent_st();
  (*event)->timing = (flags & 2) == 0;  // CU_EVENT_DISABLE_TIMING
  events().insert(*event);
  return CUDA_SUCCESS;
}

CUresult cuEventRecord(CUevent event, CUstream given) {
  Lock lock(mutex);
  CUstream stream = named(given);
  if (!isStream(stream)) return unknown("no such stream");
  if (!events().count(event)) return unknown("no such event");
  if (stream->capture) {
    event->capture = stream->capture;
    return CUDA_SUCCESS;
  }
  event->capture.reset();
  // Ordering with the default stream may queue work first, so that the position is known only afterwards.
  event->stream = stream;
  event->complete = false;
  event->asked = false;
  const auto position = std::make_shared<uint64_t>(0);
  const CUresult result = enqueue(given, [event, position] {
    // A later record of the same event counts, not this one.
    if (events().count(event) && event->position == *position) {
      event->complete = true;
      event->time = std::chrono::steady_clock::now();
    }
    return CUresult(CUDA_SUCCESS);
  });
  event->position = *position = stream->queued;
  // A random order may have run it already.
  if (stream->done >= event->position && !event->complete) {
    event->complete = true;
    event->time = std::chrono::steady_clock::now();
  }
  return result;
}

CUresult cuEventQuery(CUevent event) {
  Lock lock(mutex);
  if (!events().count(event)) return unknown("no such event");
  if (lasting() != CUDA_SUCCESS) return lasting();
  if (event->complete) return CUDA_SUCCESS;
  // The first answer is that it is not ready yet, as on a GPU that has just been given work.
  if (!event->asked) {
    event->asked = true;
    return CUDA_ERROR_NOT_READY;
  }
  return runUntil(event->stream, event->position);
}

CUresult cuEventSynchronize(CUevent event) {
  Lock lock(mutex);
  if (!events().count(event)) return unknown("no such event");
  if (capturing() && event->capture.lock()) return refuseCapture();
  if (event->complete) return lasting();
  return isStream(event->stream) ? runUntil(event->stream, event->position) : lasting();
}

CUresult cuEventElapsedTime(float* milliseconds, CUevent start, CUevent end) {
  Lock lock(mutex);
  if (!events().count(start) || !events().count(end)) return unknown("no such event");
  if (!start->timing || !end->timing) return unknown("an event without timing has no time");
  if (!start->stream || !end->stream) return unknown("an event that was never recorded has no time");
  if (!start->complete || !end->complete) return CUDA_ERROR_NOT_READY;
  *milliseconds = std::chrono::duration<float, std::milli>(end->time - start->time).count();
  return CUDA_SUCCESS;
}

CUresult cuEventElapsedTime_v2(float* milliseconds, CUevent start, CUevent end) {
  return cuEventElapsedTime(milliseconds, start, end);
}

CUresult cuEventDestroy_v2(CUevent event) {
  Lock lock(mutex);
  if (events().erase(event) == 0) return unknown("no such event");
  delete event;
  return CUDA_SUCCESS;
}

CUresult cuStreamBeginCapture_v2(CUstream stream, int) {
  Lock lock(mutex);
  if (!stream) return fail(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, "the default stream can't be captured");
  if (!isStream(stream)) return unknown("no such stream");
  if (stream->capture) return fail(CUDA_ERROR_STREAM_CAPTURE_UNMATCHED, "the stream captures already");
  stream->capture = std::make_shared<CUgraph_st>();
  stream->captureOrigin = true;
  return lasting();
}

CUresult cuStreamEndCapture(CUstream stream, CUgraph* graph) {
  Lock lock(mutex);
  if (!stream || !isStream(stream)) return unknown("no such stream");
  if (!stream->capture || !stream->captureOrigin)
    return fail(CUDA_ERROR_STREAM_CAPTURE_UNMATCHED, "the capture was not begun on this stream");
  const auto capture = stream->capture;
  for (CUstream other : streams())
    if (other->capture == capture) other->capture.reset();
  stream->captureOrigin = false;
  *graph = new CUgraph_st(*capture);
  return lasting();
}

CUresult cuStreamIsCapturing(CUstream stream, int* status) {
  Lock lock(mutex);
  if (!isStream(named(stream))) return unknown("no such stream");
  *status = named(stream)->capture ? 1 : 0;
  return CUDA_SUCCESS;
}

CUresult cuGraphGetNodes(CUgraph graph, void**, size_t* count) {
  *count = graph->work.size();
  return CUDA_SUCCESS;
}

CUresult cuGraphInstantiateWithFlags(CUgraphExec* executable, CUgraph graph, unsigned long long) {
  *executable = new CUgraphExec_st{graph->work};
  return lasting();
}

CUresult cuGraphUpload(CUgraphExec, CUstream) { return lasting(); }

CUresult cuGraphLaunch(CUgraphExec executable, CUstream stream) {
  return enqueue(stream, [work = executable->work] {
    for (const Work& piece : work) {
      const CUresult result = piece();
      if (result != CUDA_SUCCESS) return result;
    }
    return CUresult(CUDA_SUCCESS);
  });
}

CUresult cuGraphExecDestroy(CUgraphExec executable) {
  delete executable;
  return CUDA_SUCCESS;
}

CUresult cuGraphDestroy(CUgraph graph) {
  delete graph;
  return CUDA_SUCCESS;
}
