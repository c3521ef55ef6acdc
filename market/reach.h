#pragma once
// Whether the marketplace can be reached at all, and what time it is there. Without a key. Any thread.

#include <optional>
#include <stop_token>
#include <string>

#include "core/clock.h"
#include "core/error.h"

namespace vastgpu {

struct Reach {
  int status = 0;                 ///< of any answer; without a key most are refusals
  std::optional<TimePoint> date;  ///< its Date header, to the second
};

/// One GET; at most ten seconds.
/// @error as Http::send; invalid_argument when the address cannot be used
Result<Reach> reach_marketplace(const std::string& base_url, const std::string& ca_file,
                                std::stop_token stop);

/// "Sun, 06 Nov 1994 08:49:37 GMT", the one form that HTTP servers may send.
std::optional<TimePoint> parse_http_date(const std::string& text);

}  // namespace vastgpu
