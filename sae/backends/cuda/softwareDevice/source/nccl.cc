/**
 * NCCL's collective calls between processes of one machine. As all work of a stream they run when somebody waits for it, and then wait for
 * the other ranks. Where NCCL would hang because ranks make different calls, or one is gone, this says so.
 */
#include "nccl.h"

#include <sys/random.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <functional>
#include <memory>
#include <vector>

#include "devices.h"
#include "errors.h"
#include "meeting.h"
#include "memory.h"
#include "streams.h"

using namespace lazyscope;

struct ncclComm {
  int rank, ranks, device;
  std::unique_ptr<Meeting> meeting;
  uint64_t calls = 0;
  ncclResult_t failure = ncclSuccess;
};

namespace {

enum Kind : int32_t { gathers = 1, sums, exchanges };

constexpr char mark[] = "lazyscope-nccl-";

std::string& lastError() {
  static thread_local std::string text;
  return text;
}

ncclResult_t refuse(ncclResult_t result, const std::string& why) {
  lastError() = why;
  return result;
}

size_t bytesOf(ncclDataType_t type) { return type == ncclUint8 ? 1 : type == ncclInt32 || type == ncclFloat32 ? 4 : 0; }

/** A send or a receipt of a group. */
struct Transfer {
  bool sends;
  unsigned char* memory;
  size_t bytes;
  int peer;
  ncclComm_t comm;
  CUstream stream;
};

thread_local int groups = 0;
thread_local std::vector<Transfer> grouped;

/** Memory that a call reads or writes. */
struct Range {
  const void* memory;
  size_t bytes;
};

/** Success, or what is wrong with a call that could be queued. */
ncclResult_t check(ncclComm_t comm, std::initializer_list<Range> ranges) {
  if (!comm) return refuse(ncclInvalidArgument, "no communicator");
  if (comm->device != currentDevice()) return refuse(ncclInvalidUsage, "the communicator belongs to another device");
  for (const Range& range : ranges) {
    const std::string wrong = range.bytes ? outsideMemory(CUdeviceptr(range.memory), range.bytes) : "";
    if (!wrong.empty()) return refuse(ncclInvalidArgument, wrong);
  }
  return ncclSuccess;
}

/** Queues what waits for the other ranks. */
ncclResult_t queue(ncclComm_t comm, CUstream stream, std::vector<Range> ranges, std::function<std::string()> run) {
  const CUresult queued = enqueueTogether(stream, [=] {
    for (const Range& range : ranges) {
      const std::string wrong = range.bytes ? outsideMemory(CUdeviceptr(range.memory), range.bytes) : "";
      if (!wrong.empty()) return failForGood(CUDA_ERROR_ILLEGAL_ADDRESS, "NCCL: " + wrong);
    }
    const std::string problem = run();
    if (problem.empty()) return CUresult(CUDA_SUCCESS);
    comm->failure = ncclRemoteError;
    return failForGood(CUDA_ERROR_LAUNCH_FAILED, "NCCL: " + problem);
  });
  return queued == CUDA_SUCCESS ? ncclSuccess : refuse(ncclUnhandledCudaError, "the stream takes no work, or captures a graph");
}

/** All transfers of a group on one communicator: the same number of bytes from each rank to each other one. */
ncclResult_t queueGroup(const std::vector<Transfer>& transfers) {
  const ncclComm_t comm = transfers[0].comm;
  const CUstream stream = transfers[0].stream;
  const size_t bytes = transfers[0].bytes;
  std::vector<unsigned char*> to(size_t(comm->ranks)), from(size_t(comm->ranks));
  std::vector<Range> ranges;
  for (const Transfer& transfer : transfers) {
    auto& place = (transfer.sends ? to : from)[size_t(transfer.peer)];
    if (place || transfer.comm != comm || transfer.stream != stream || transfer.bytes != bytes)
      return refuse(ncclInvalidUsage, "of a group only as many bytes from each rank to each other one are answered");
    place = transfer.memory;
    ranges.push_back({transfer.memory, bytes});
  }
  for (int peer = 0; peer < comm->ranks; peer++)
    if (peer != comm->rank && (!to[size_t(peer)] || !from[size_t(peer)]))
      return refuse(ncclInvalidUsage, "rank " + std::to_string(comm->rank) + " doesn't send to rank " + std::to_string(peer) +
                                          ", or receives nothing from it");
  if (const ncclResult_t wrong = check(comm, {})) return wrong;
  const uint64_t number = ++comm->calls;
  return queue(comm, stream, ranges, [=] {
    std::vector<unsigned char> given(bytes * to.size());
    for (size_t peer = 0; peer < to.size(); peer++)
      if (to[peer]) std::memcpy(given.data() + peer * bytes, to[peer], bytes);
    const size_t begin = size_t(comm->rank) * bytes;
    return comm->meeting->exchange({number, exchanges, bytes, 0}, given.data(), given.size(),
                                   [&](int rank, size_t at, const unsigned char* box, size_t count) {
      const size_t first = std::max(at, begin), last = std::min(at + count, begin + bytes);
      if (from[size_t(rank)] && first < last) std::memcpy(from[size_t(rank)] + (first - begin), box + (first - at), last - first);
    });
  });
}

ncclResult_t transfer(bool sends, void* memory, size_t count, ncclDataType_t type, int peer, ncclComm_t comm, CUstream stream) {
  if (groups == 0) return refuse(ncclInvalidUsage, "a transfer outside of a group would wait for ever");
  const size_t bytes = count * bytesOf(type);
  if (const ncclResult_t wrong = check(comm, {{memory, bytes}})) return wrong;
  if (!bytesOf(type) || peer < 0 || peer >= comm->ranks) return refuse(ncclInvalidArgument, "no such type or rank");
  grouped.push_back({sends, static_cast<unsigned char*>(memory), bytes, peer, comm, stream});
  return ncclSuccess;
}

}  // namespace

ncclResult_t ncclGetVersion(int* version) {
  *version = 22304;
  return ncclSuccess;
}

ncclResult_t ncclGetUniqueId(ncclUniqueId* id) {
  uint64_t words[2];
  if (getrandom(words, sizeof words, 0) != ssize_t(sizeof words)) return refuse(ncclSystemError, "no random numbers");
  *id = {};
  std::snprintf(id->internal, sizeof id->internal, "%s%016llx%016llx", mark, (unsigned long long)words[0],
                (unsigned long long)words[1]);
  // A name is short: what is behind it shows that all 128 bytes of the structure arrive.
  for (size_t i = 64; i < sizeof id->internal; i++) id->internal[i] = char(id->internal[20 + i % 8] + i);
  return ncclSuccess;
}

ncclResult_t ncclCommInitRank(ncclComm_t* comm, int ranks, ncclUniqueId id, int rank) {
  *comm = nullptr;
  bool whole = std::strncmp(id.internal, mark, sizeof mark - 1) == 0;
  for (size_t i = 64; i < sizeof id.internal; i++) whole &= id.internal[i] == char(id.internal[20 + i % 8] + i);
  if (!whole) return refuse(ncclInvalidArgument, "no id of ncclGetUniqueId");
  if (ranks < 1 || ranks > mostMembers || rank < 0 || rank >= ranks)
    return refuse(ncclInvalidArgument, "rank " + std::to_string(rank) + " of " + std::to_string(ranks));
  if (currentDevice() < 0) return refuse(ncclUnhandledCudaError, "no context is current");
  std::string problem;
  auto meeting = std::make_unique<Meeting>(id.internal, rank, ranks, problem);
  if (!problem.empty()) return refuse(ncclSystemError, problem);
  *comm = new ncclComm{rank, ranks, currentDevice(), std::move(meeting)};
  return ncclSuccess;
}

ncclResult_t ncclCommDestroy(ncclComm_t comm) {
  if (!comm) return refuse(ncclInvalidArgument, "no communicator");
  // What is queued needs it.
  if (runEverything() != CUDA_SUCCESS) return refuse(ncclUnhandledCudaError, "the device has failed");
  delete comm;
  return ncclSuccess;
}

const char* ncclGetErrorString(ncclResult_t result) {
  switch (result) {
    case ncclSuccess: return "no error";
    case ncclUnhandledCudaError: return "unhandled cuda error";
    case ncclSystemError: return "unhandled system error";
    case ncclInternalError: return "internal error";
    case ncclInvalidArgument: return "invalid argument";
    case ncclInvalidUsage: return "invalid usage";
    case ncclRemoteError: return "remote process exited or there was a network error";
    default: return "unknown result code";
  }
}

const char* ncclGetLastError(ncclComm_t) { return lastError().c_str(); }

ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t* error) {
  *error = comm->failure;
  return ncclSuccess;
}

ncclResult_t ncclAllReduce(const void* send, void* receive, size_t count, ncclDataType_t type, ncclRedOp_t operation,
                           ncclComm_t comm, CUstream stream) {
  if (groups) return refuse(ncclInvalidUsage, "only transfers are answered in a group");
  // In which order NCCL adds is its own affair, so that sums of floats are not left to it.
  if (operation != ncclSum || type != ncclInt32) return refuse(ncclInvalidArgument, "only sums of int32 are answered");
  const size_t bytes = count * bytesOf(type);
  if (const ncclResult_t wrong = check(comm, {{send, bytes}, {receive, bytes}})) return wrong;
  const uint64_t number = ++comm->calls;
  return queue(comm, stream, {{send, bytes}, {receive, bytes}}, [=] {
    std::vector<uint32_t> sum(count);
    const std::string problem = comm->meeting->exchange({number, sums, bytes, type}, static_cast<const unsigned char*>(send),
                                                        bytes, [&](int, size_t at, const unsigned char* box, size_t n) {
      const auto numbers = reinterpret_cast<const uint32_t*>(box);
      for (size_t i = 0; i < n / 4; i++) sum[at / 4 + i] += numbers[i];
    });
    if (problem.empty()) std::memcpy(receive, sum.data(), bytes);
    return problem;
  });
}

ncclResult_t ncclAllGather(const void* send, void* receive, size_t count, ncclDataType_t type, ncclComm_t comm, CUstream stream) {
  if (groups) return refuse(ncclInvalidUsage, "only transfers are answered in a group");
  const size_t bytes = count * bytesOf(type);
  if (!bytes && count) return refuse(ncclInvalidArgument, "no such type");
  if (!comm) return refuse(ncclInvalidArgument, "no communicator");
  const size_t all = bytes * size_t(comm->ranks);
  if (const ncclResult_t wrong = check(comm, {{send, bytes}, {receive, all}})) return wrong;
  const uint64_t number = ++comm->calls;
  return queue(comm, stream, {{send, bytes}, {receive, all}}, [=] {
    const auto to = static_cast<unsigned char*>(receive);
    return comm->meeting->exchange({number, gathers, bytes, type}, static_cast<const unsigned char*>(send), bytes,
                                   [=](int rank, size_t at, const unsigned char* box, size_t n) {
      std::memcpy(to + size_t(rank) * bytes + at, box, n);
    });
  });
}

ncclResult_t ncclSend(const void* send, size_t count, ncclDataType_t type, int peer, ncclComm_t comm, CUstream stream) {
  return transfer(true, const_cast<void*>(send), count, type, peer, comm, stream);
}

ncclResult_t ncclRecv(void* receive, size_t count, ncclDataType_t type, int peer, ncclComm_t comm, CUstream stream) {
  return transfer(false, receive, count, type, peer, comm, stream);
}

ncclResult_t ncclGroupStart() {
  groups++;
  return ncclSuccess;
}

ncclResult_t ncclGroupEnd() {
  if (groups == 0) return refuse(ncclInvalidUsage, "no group was started");
  if (--groups > 0 || grouped.empty()) return ncclSuccess;
  const std::vector<Transfer> transfers = std::move(grouped);
  grouped.clear();
  return queueGroup(transfers);
}
