/** Events, and streams that wait for them. */
#include "streamState.h"

using namespace lazyscope;

namespace {

/** The stream's next work waits for what an event in a capture stands for: it joins the capture unless it is part of it. */
CUresult join(CUstream stream, const std::shared_ptr<Capture>& capture, const std::vector<size_t>& nodes) {
  if (capture->invalid) return fail(CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, "the capture is useless already");
  if (stream->capture && stream->capture != capture) {
    invalidate(*capture, CUDA_ERROR_STREAM_CAPTURE_MERGE, "");
    return invalidate(*stream->capture, CUDA_ERROR_STREAM_CAPTURE_MERGE, "two captures would become one");
  }
  if (!stream->capture) stream->frontier.clear();
  stream->capture = capture;
  for (const size_t node : nodes)
    if (std::find(stream->frontier.begin(), stream->frontier.end(), node) == stream->frontier.end())
      stream->frontier.push_back(node);
  return CUDA_SUCCESS;
}

CUresult refuseCaptured(Capture& capture) {
  return invalidate(capture, CUDA_ERROR_CAPTURED_EVENT, "an event of a capture has no state that could be asked for");
}

}  // namespace

CUresult cuStreamWaitEvent(CUstream given, CUevent event, unsigned) {
  Lock lock(streamMutex());
  CUstream stream = named(given);
  if (!isStream(stream)) return unknown("no such stream");
  if (!events().count(event)) return unknown("no such event");
  if (const auto capture = event->capture.lock()) return join(stream, capture, event->frontier);
  if (!event->stream) return lasting();
  if (stream->capture)
    return invalidate(*stream->capture, CUDA_ERROR_STREAM_CAPTURE_ISOLATION,
                      "a stream that captures waits for an event from outside of the capture");
  return enqueue(given, [from = event->stream, position = event->position] {
    return isStream(from) ? runUntil(from, position) : CUresult(CUDA_SUCCESS);
  });
}

CUresult cuEventCreate(CUevent* event, unsigned flags) {
  Lock lock(streamMutex());
  if (lasting() != CUDA_SUCCESS) return lasting();
  if (currentDevice() < 0) return fail(CUDA_ERROR_INVALID_CONTEXT, "no context is current");
  *event = new CUevent_st();
  (*event)->device = currentDevice();
  (*event)->timing = (flags & 2) == 0;  // CU_EVENT_DISABLE_TIMING
  events().insert(*event);
  return CUDA_SUCCESS;
}

CUresult cuEventRecord(CUevent event, CUstream given) {
  Lock lock(streamMutex());
  CUstream stream = named(given);
  if (!isStream(stream)) return unknown("no such stream");
  if (!events().count(event)) return unknown("no such event");
  if (event->device != stream->device) return unknown("an event is recorded on streams of its own context alone");
  if (stream->capture) {
    if (stream->capture->invalid)
      return fail(CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, "the capture is useless already");
    event->capture = stream->capture;
    event->frontier = stream->frontier;
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
  Lock lock(streamMutex());
  if (!events().count(event)) return unknown("no such event");
  if (lasting() != CUDA_SUCCESS) return lasting();
  if (const auto capture = event->capture.lock()) return refuseCaptured(*capture);
  if (event->complete) return CUDA_SUCCESS;
  // The first answer is that it is not ready yet, as on a GPU that has just been given work.
  if (!event->asked) {
    event->asked = true;
    return CUDA_ERROR_NOT_READY;
  }
  return runUntil(event->stream, event->position);
}

CUresult cuEventSynchronize(CUevent event) {
  Lock lock(streamMutex());
  if (!events().count(event)) return unknown("no such event");
  if (const auto capture = event->capture.lock()) return refuseCaptured(*capture);
  if (event->complete) return lasting();
  return isStream(event->stream) ? runUntil(event->stream, event->position) : lasting();
}

CUresult cuEventElapsedTime(float* milliseconds, CUevent start, CUevent end) {
  Lock lock(streamMutex());
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
  Lock lock(streamMutex());
  if (events().erase(event) == 0) return unknown("no such event");
  delete event;
  return CUDA_SUCCESS;
}
