#pragma once
// One line of a log taken apart into its numbers, each with the name before it and the unit behind it. Pure.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vastgpu {

struct LogNumber {
  double value = 0;  ///< finite, not negative
  bool whole = false;
  std::size_t from = 0, to = 0;  ///< its place in the line
  std::string name;              ///< lower case, directly before it: "epoch", "train_runtime"; may be empty
  std::string unit;              ///< lower case, directly behind it: "it/s", "ms"; "per" reads as "/"
};

/// At most 200. Parts of clock times, dates, paths, versions and negative numbers are left out.
std::vector<LogNumber> numbers_of(std::string_view line);

/// "120/1000", "[120/1000]", "120 of 1000".
struct LogCount {
  std::int64_t done = 0, total = 0;
  std::size_t from = 0, to = 0;
  std::string name;
};
std::vector<LogCount> counts_of(std::string_view line, const std::vector<LogNumber>& numbers);

enum class RateKind { steps, samples, tokens };
struct LogRate {
  RateKind kind = RateKind::steps;
  double per_second = 0;
};
/// What one number says about speed: by its unit ("3.1it/s", "34ms/step", "5.2k tokens/s") or by its name
/// ("train_steps_per_second"). Nothing for an evaluation's speed and for what may be a total time.
std::optional<LogRate> rate_of(const LogNumber& number);

}  // namespace vastgpu
