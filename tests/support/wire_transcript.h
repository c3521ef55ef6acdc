#pragma once
// Conversations written down: what is sent, what must come back.
//
//   # a comment
//   > {"jsonrpc":"2.0",...}     sent as it stands
//   < {"jsonrpc":"2.0",...}     must come; neighbouring lines in any order
//
// JSON is compared by structure. The string "*" stands for any value, the key "..." for any further members.
// At the end the input is closed, and nothing may come that was not expected.

#include <filesystem>
#include <string>
#include <vector>

#include "core/json.h"
#include "server/server.h"

namespace vastgpu {

bool matches(const json& expected, const json& got);

/// What went wrong, with line numbers; empty when the conversation went as written.
std::vector<std::string> play_transcript(const std::filesystem::path& file, const ServerParts& parts);

}  // namespace vastgpu
