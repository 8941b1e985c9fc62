/**
 * Captures and graphs, with the rules of the CUDA C++ Programming Guide ("Prohibited and unhandled operations"): an operation that is not permitted
 * answers an error and makes the capture useless; a graph's work waits for what it waited for in the streams, and for nothing else.
 */
#include "settings.h"
#include "streamState.h"

using namespace lazyscope;

struct CUgraph_st {
  std::vector<Node> nodes;
};
struct CUgraphExec_st {
  std::vector<Node> nodes;
};

namespace {

enum : int { global = 0, threadLocal = 1, relaxed = 2 };  // CUstreamCaptureMode

/** Whether everything that was captured comes before the origin's next work. */
bool joined(const Capture& capture) {
  std::vector<bool> before(capture.nodes.size());
  std::vector<size_t> open = capture.origin->frontier;
  while (!open.empty()) {
    const size_t node = open.back();
    open.pop_back();
    if (before[node]) continue;
    before[node] = true;
    for (const size_t earlier : capture.nodes[node].after) open.push_back(earlier);
  }
  return std::find(before.begin(), before.end(), false) == before.end();
}

/** Runs the nodes in an order that their dependencies allow: that of the capture, or one drawn at random. */
CUresult runNodes(const std::vector<Node>& nodes) {
  static Random random(settings().order + 1);
  std::vector<bool> done(nodes.size());
  for (size_t count = 0; count < nodes.size(); count++) {
    std::vector<size_t> ready;
    for (size_t i = 0; i < nodes.size(); i++) {
      const auto& after = nodes[i].after;
      if (!done[i] && std::all_of(after.begin(), after.end(), [&](size_t n) { return done[n]; })) ready.push_back(i);
      if (!settings().order && !ready.empty()) break;
    }
    const size_t next = ready[settings().order ? random.below(ready.size()) : 0];
    if (const CUresult result = nodes[next].work()) return result;
    done[next] = true;
  }
  return CUDA_SUCCESS;
}

}  // namespace

namespace lazyscope {

CUresult invalidate(Capture& capture, CUresult code, const std::string& why) {
  capture.invalid = true;
  return fail(code, why);
}

CUresult captureWork(CUstream stream, Work work) {
  Capture& capture = *stream->capture;
  if (capture.invalid) return fail(CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, "the capture is useless already");
  capture.nodes.push_back({std::move(work), stream->frontier});
  stream->frontier.assign(1, capture.nodes.size() - 1);
  return CUDA_SUCCESS;
}

CUresult refuseWaiting() {
  CUresult result = CUDA_SUCCESS;
  for (CUstream stream : streams())
    if (stream->device == activeDevice() && stream->capture)
      result = invalidate(*stream->capture, CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED,
                          "a stream captures a graph, so that nothing can be waited for");
  return result;
}

CUresult refuseUnsafe(const char* call) {
  Lock lock(streamMutex());
  CUresult result = CUDA_SUCCESS;
  for (CUstream stream : streams())
    if (stream->capture && stream->capture->mode != relaxed)
      result = invalidate(*stream->capture, CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED,
                          std::string(call) + " while a graph is captured that is not in relaxed mode");
  return result;
}

CUresult refusePageable(CUstream given, const char* call) {
  Lock lock(streamMutex());
  CUstream stream = named(given);
  if (!isStream(stream) || !stream->capture) return CUDA_SUCCESS;
  return invalidate(*stream->capture, CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED,
                    std::string(call) + " of memory that is not pinned can't be captured");
}

}  // namespace lazyscope

CUresult cuStreamBeginCapture_v2(CUstream stream, int mode) {
  Lock lock(streamMutex());
  if (!stream) return fail(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, "the default stream can't be captured");
  if (!isStream(stream)) return unknown("no such stream");
  if (mode < global || mode > relaxed) return fail(CUDA_ERROR_INVALID_VALUE, "no such mode of a capture");
  if (stream->capture)
    return invalidate(*stream->capture, CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, "the stream captures already");
  stream->capture = std::make_shared<Capture>(Capture{{}, stream, mode});
  stream->frontier.clear();
  return lasting();
}

CUresult cuStreamEndCapture(CUstream stream, CUgraph* graph) {
  Lock lock(streamMutex());
  *graph = nullptr;
  if (!stream || !isStream(stream)) return unknown("no such stream");
  if (!stream->capture || stream->capture->origin != stream)
    return fail(CUDA_ERROR_STREAM_CAPTURE_UNMATCHED, "the capture was not begun on this stream");
  const auto capture = stream->capture;
  const bool whole = joined(*capture);
  for (CUstream other : streams())
    if (other->capture == capture) other->capture.reset();
  if (capture->invalid)
    return fail(CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, "something was tried that can't be captured");
  if (!whole)
    return fail(CUDA_ERROR_STREAM_CAPTURE_UNJOINED, "work of another stream that joined the capture is not waited for");
  *graph = new CUgraph_st{capture->nodes};
  return lasting();
}

CUresult cuStreamIsCapturing(CUstream stream, int* status) {
  Lock lock(streamMutex());
  if (!isStream(named(stream))) return unknown("no such stream");
  const auto& capture = named(stream)->capture;
  *status = !capture ? 0 : capture->invalid ? 2 : 1;
  return CUDA_SUCCESS;
}

CUresult cuGraphGetNodes(CUgraph graph, void** nodes, size_t* count) {
  if (!graph) return fail(CUDA_ERROR_INVALID_VALUE, "no graph");
  if (nodes) return fail(CUDA_ERROR_INVALID_VALUE, "only the number of nodes is answered");
  *count = graph->nodes.size();
  return CUDA_SUCCESS;
}

CUresult cuGraphInstantiateWithFlags(CUgraphExec* executable, CUgraph graph, unsigned long long) {
  if (!graph) return fail(CUDA_ERROR_INVALID_VALUE, "no graph");
  *executable = new CUgraphExec_st{graph->nodes};
  return lasting();
}

CUresult cuGraphUpload(CUgraphExec, CUstream) { return lasting(); }

CUresult cuGraphLaunch(CUgraphExec executable, CUstream stream) {
  if (!executable) return fail(CUDA_ERROR_INVALID_VALUE, "no graph");
  return enqueue(stream, [nodes = executable->nodes] { return runNodes(nodes); });
}

CUresult cuGraphExecDestroy(CUgraphExec executable) {
  delete executable;
  return CUDA_SUCCESS;
}

CUresult cuGraphDestroy(CUgraph graph) {
  delete graph;
  return CUDA_SUCCESS;
}
