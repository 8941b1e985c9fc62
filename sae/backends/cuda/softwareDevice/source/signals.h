/** Addresses that nobody owns: a kernel that touches one fails, instead of the process. */
#pragma once

namespace lazyscope {

/** Takes over the signals of bad memory accesses and divisions on this OS thread while kernels run. */
void catchFaults();

}  // namespace lazyscope
