#pragma once
// Which calls take longer than a client waits, and how each is carried on until its real end. Pure; any
// thread.

#include <optional>
#include <string>

#include "tools/tool.h"

namespace vastgpu {

enum class LongWork {
  none,              ///< answers soon, or must not be repeated by itself
  at_once,           ///< long from its beginning; repeating the very call continues it
  after_first_turn,  ///< its first turn may ask, spend, or be all there is; the rest can be repeated
};
LongWork long_work(const std::string& tool, const json& arguments);

/// What is on record of this tool only waits, or goes on under a yes that has its own end: safe at any time.
/// All others send, start, fetch or destroy.
bool only_waits(const std::string& tool);

/// The same call, answering after a moment.
json short_turn(const std::string& tool, json arguments);
/// The same call, waiting as long as one call may.
json long_turn(const std::string& tool, json arguments);

/// The call that goes on after this answer, and never begins anything anew. nullopt: the answer is the end.
std::optional<json> next_turn(const std::string& tool, const json& arguments, const Envelope& answer);

}  // namespace vastgpu
