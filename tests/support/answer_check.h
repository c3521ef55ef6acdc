#pragma once
// Holds every good answer that a test sees against the output schema of its tool. Any thread.

#include <string>

#include "core/json.h"
#include "tools/tool.h"

namespace vastgpu {

/// What about `value` breaks `schema`, each with its place; empty: it fits.
std::string schema_trouble(const json& schema, const json& value);

/// The same of a good answer of one of the ten tools, by what the client gets as structured content.
std::string answer_trouble(const std::string& tool, const json& structured);

}  // namespace vastgpu
