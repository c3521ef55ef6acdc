#pragma once
// What a story says first that needs real machines: where there can be none, it is skipped with the reason.

#include "sandbox/machine.h"
#include "tests/support/catch.h"

#define NEEDS_MACHINES()                                           \
  if (const auto why = vastgpu::sandbox::machines_unavailable()) { \
    WARN("skipped: " << *why);                                     \
    return;                                                        \
  }
