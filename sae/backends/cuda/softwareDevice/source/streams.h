/**
 * Streams, events and captures. Work that is queued runs when somebody needs its result: at a synchronisation, a query, a
 * synchronous copy, or when an event waits for it. So a missing synchronisation or event shows, as stale or poisoned
 * values. With LAZYSCOPE_CUDA_ORDER some of the queued work runs earlier, at random.
 */
#pragma once
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "driver.h"

namespace lazyscope {

using Work = std::function<CUresult()>;

/** Queues the work on the stream (null: the default one), or adds it to the graph that the stream captures. */
CUresult enqueue(CUstream stream, Work work);
/**
 * The same for work that waits for other processes. Where the order is random, nothing runs early while such work is queued: these processes may be
 * waiting for this one elsewhere. A stream that captures takes none: the other processes would have to capture and launch it with this one.
 */
CUresult enqueueTogether(CUstream stream, Work work);
/** Runs what the stream has queued. */
CUresult runStream(CUstream stream);
/** Runs the default stream and all that wait for it, as a synchronous copy does. */
CUresult runDefaultStream();
/** Runs all that is queued on the active device, as freeing memory does. */
CUresult runEverything();
/** Success, or why a call that may have to wait for the device is not permitted: a graph is captured in a mode that forbids it. */
CUresult refuseUnsafe(const char* call);
/** Success, or why a copy of memory that isn't pinned is not permitted: the stream captures. */
CUresult refusePageable(CUstream stream, const char* call);
/** Drops all queued work, streams, events and captures of a device. */
void forgetWork(int device);

}  // namespace lazyscope
