/** What streams, events and captures are made of, for streams.cc, events.cc and graphs.cc alone. */
#pragma once
#include <algorithm>
#include <chrono>
#include <mutex>
#include <unordered_set>

#include "devices.h"
#include "errors.h"
#include "streams.h"

namespace lazyscope {

/** One piece of captured work, and the pieces that it waits for. */
struct Node {
  Work work;
  std::vector<size_t> after;
};

/** What a stream captures, with the streams that joined it. */
struct Capture {
  std::vector<Node> nodes;
  CUstream origin;
  int mode;
  /** An operation was tried that is not permitted, so that there will be no graph. */
  bool invalid = false;
};

}  // namespace lazyscope

struct CUstream_st {
  int device = 0;
  /** Whether the default stream waits for it and it for the default stream. */
  bool blocking = true;
  std::deque<lazyscope::Work> queue;
  /** How many pieces of work were ever queued and have been run. */
  uint64_t queued = 0, done = 0;
  bool running = false;
  /** Shared by all streams that joined the capture. */
  std::shared_ptr<lazyscope::Capture> capture;
  /** The nodes that its next captured work waits for. */
  std::vector<size_t> frontier;
};

struct CUevent_st {
  int device = 0;
  bool timing = true;
  /** Where it was last recorded; null stream: never. */
  CUstream stream = nullptr;
  uint64_t position = 0;
  bool complete = true;
  std::chrono::steady_clock::time_point time;
  /** The capture that it was recorded in, if any, and the nodes that it stands for. */
  std::weak_ptr<lazyscope::Capture> capture;
  std::vector<size_t> frontier;
  bool asked = false;
};

namespace lazyscope {

using Lock = std::lock_guard<std::recursive_mutex>;
std::recursive_mutex& streamMutex();
/** Of the current device. */
CUstream defaultStream();
std::vector<CUstream>& streams();
std::unordered_set<CUevent>& events();
bool isStream(CUstream stream);
/** The default stream for null. */
CUstream named(CUstream stream);
/** Runs the stream until `position` pieces of its work are done. */
CUresult runUntil(CUstream stream, uint64_t position);
CUresult unknown(const char* what);
/** Success, or why the call can't name it: what belongs to one context is of no use while another is current. */
CUresult elsewhere(int device, const char* what);

/** The operation makes the capture useless, and answers `code`. */
CUresult invalidate(Capture& capture, CUresult code, const std::string& why);
/** Adds work to the graph that the stream captures. */
CUresult captureWork(CUstream stream, Work work);
/** Success, or why nothing can be waited for while any stream captures; the captures are then useless. */
CUresult refuseWaiting();

}  // namespace lazyscope
