#pragma once
// `vast-gpu doctor`: each check with its exact fix.

#include "server/house.h"

namespace vastgpu {

/// Prints one line a check. 0 when everything is well, 1 otherwise.
int doctor(House& house);

}  // namespace vastgpu
