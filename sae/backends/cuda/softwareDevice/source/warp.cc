#include "warp.h"

#include <algorithm>

namespace lazyscope {

const char* nameOf(LazyscopeCollective kind) {
  switch (kind) {
    case lazyscopeSyncWarp: return "__syncwarp";
    case lazyscopeShuffle: return "__shfl_sync";
    case lazyscopeShuffleUp: return "__shfl_up_sync";
    case lazyscopeShuffleDown: return "__shfl_down_sync";
    case lazyscopeShuffleXor: return "__shfl_xor_sync";
    case lazyscopeBallot: return "__ballot_sync";
    case lazyscopeAny: return "__any_sync";
    case lazyscopeAll: return "__all_sync";
    case lazyscopeMatchAny: return "__match_any_sync";
    default: return "__reduce_…_sync";
  }
}

namespace {

/** The lane that a shuffle reads, within segments of `width` lanes (CUDA C++ Programming Guide, warp shuffle functions). */
unsigned sourceOf(const Contribution& c, unsigned lane) {
  const unsigned width = unsigned(c.width), first = lane & ~(width - 1), at = lane - first;
  switch (c.kind) {
    case lazyscopeShuffle: return first + (unsigned(c.argument) & (width - 1));
    case lazyscopeShuffleUp: return at >= unsigned(c.argument) ? lane - unsigned(c.argument) : lane;
    case lazyscopeShuffleDown: return at + unsigned(c.argument) < width ? lane + unsigned(c.argument) : lane;
    default: {
      // Lanes of an earlier segment can be read, those of a later one can't.
      const unsigned other = lane ^ unsigned(c.argument);
      return other < first + width ? other : lane;
    }
  }
}

uint32_t reduced(LazyscopeCollective kind, uint32_t a, uint32_t b) {
  switch (kind) {
    case lazyscopeReduceAdd: return a + b;
    case lazyscopeReduceMin: return uint32_t(std::min(int32_t(a), int32_t(b)));
    case lazyscopeReduceMax: return uint32_t(std::max(int32_t(a), int32_t(b)));
    case lazyscopeReduceMinUnsigned: return std::min(a, b);
    case lazyscopeReduceMaxUnsigned: return std::max(a, b);
    case lazyscopeReduceAnd: return a & b;
    case lazyscopeReduceOr: return a | b;
    default: return a ^ b;
  }
}

}  // namespace

uint64_t received(const Contribution* const* lanes, unsigned lane, int& missing) {
  const Contribution& mine = *lanes[lane];
  const auto inMask = [&](unsigned l) { return (mine.mask >> l & 1) != 0; };
  switch (mine.kind) {
    case lazyscopeSyncWarp: return 0;
    case lazyscopeShuffle:
    case lazyscopeShuffleUp:
    case lazyscopeShuffleDown:
    case lazyscopeShuffleXor: {
      const unsigned source = sourceOf(mine, lane);
      if (!inMask(source)) {
        missing = int(source);
        return 0;
      }
      return lanes[source]->value;
    }
    case lazyscopeBallot:
    case lazyscopeAny:
    case lazyscopeAll: {
      uint32_t votes = 0;
      for (unsigned l = 0; l < 32; l++)
        if (inMask(l) && lanes[l]->value) votes |= 1u << l;
      if (mine.kind == lazyscopeAny) return votes != 0;
      return mine.kind == lazyscopeAll ? votes == mine.mask : votes;
    }
    case lazyscopeMatchAny: {
      uint32_t same = 0;
      for (unsigned l = 0; l < 32; l++)
        if (inMask(l) && lanes[l]->value == mine.value) same |= 1u << l;
      return same;
    }
    default: {
      bool first = true;
      uint32_t result = 0;
      for (unsigned l = 0; l < 32; l++) {
        if (!inMask(l)) continue;
        result = first ? uint32_t(lanes[l]->value) : reduced(mine.kind, result, uint32_t(lanes[l]->value));
        first = false;
      }
      return result;
    }
  }
}

}  // namespace lazyscope
