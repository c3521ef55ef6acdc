// Compiled once for all tests.
#include "core/precompiled.h"
#include "tests/support/catch.h"
