/** Failures: the driver's codes, with what exactly went wrong as part of the text that cuGetErrorString gives. */
#pragma once
#include <string>

#include "driver.h"

namespace lazyscope {

/** Notes the detail of a failure for cuGetErrorString, and returns the code. */
CUresult fail(CUresult code, const std::string& detail);
/** A failure of a running kernel: every later call to its device answers it too, until the primary context is reset. */
CUresult failForGood(CUresult code, const std::string& detail);
/** The failure that stays, or success. */
CUresult lasting();
void forgetFailure(int device);

}  // namespace lazyscope
