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
/** Runs what the stream has queued. */
CUresult runStream(CUstream stream);
/** Runs the default stream and all that wait for it, as a synchronous copy does. */
CUresult runDefaultStream();
CUresult runEverything();
/** Drops all queued work, streams, events and captures. */
void forgetWork();

}  // namespace lazyscope
