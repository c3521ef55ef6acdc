#pragma once
// What each tool's successful answer holds: its output schema. Tests hold every answer that they see against
// it. Further fields are allowed; a required one is in every success. Pure.

#include <string>

#include "core/json.h"

namespace vastgpu {

/// Of one of the ten; for any other name the shared one (envelope_schema).
json output_schema(const std::string& tool);

}  // namespace vastgpu
