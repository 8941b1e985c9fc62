/** What the lanes of a warp exchange: shuffles, votes, reductions. */
#pragma once
#include <cstdint>

#include "moduleInterface.h"

namespace lazyscope {

/** What one lane brings to an exchange. */
struct Contribution {
  LazyscopeCollective kind;
  uint32_t mask;
  uint64_t value;
  int argument, width, line;
  const char* file;
};

const char* nameOf(LazyscopeCollective kind);

/**
 * What `lane` receives when every lane of `mask` has brought its contribution. `lanes` is indexed by lane. Where it would
 * read a lane outside the mask, `missing` becomes that lane.
 */
uint64_t received(const Contribution* const* lanes, unsigned lane, int& missing);

}  // namespace lazyscope
