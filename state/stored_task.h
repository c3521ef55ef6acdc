#pragma once
// One call that goes on after its request was answered, as it is written down. A plain value.

#include <optional>
#include <string>

#include "core/clock.h"
#include "core/json.h"

namespace vastgpu {

struct StoredTask {
  std::string id;  ///< 128 random bits, hex
  std::string tool;
  json arguments = json::object();  ///< of the next turn: the call may be repeated with these at any time
  std::string status = "working";   ///< "working", "completed", "failed", "cancelled"
  std::string message = {};         ///< for people
  std::optional<json> result = {};  ///< of a completed one: what the call would have returned
  std::optional<json> error = {};   ///< of a failed one
  bool cancel = false;              ///< somebody asked for its end
  TimePoint created{};
  TimePoint updated{};
};

}  // namespace vastgpu
