#pragma once
// What comes home besides results/ and logs: patterns that the user gave, in CLAUDE.md or with a call, and
// where their files go. Any thread.

#include <string>
#include <vector>

#include "fleet/deps.h"

namespace vastgpu {

/// A pattern below the project: "outputs/**", "runs/*/metrics.csv", "model.pt", "*.csv". Gives it back
/// without
/// "./", "/workspace/project/" and doubled slashes.
/// @error invalid_argument  it leads upwards, is empty or hidden, or would take whatever the machine puts
/// into the project folder
Result<std::string> result_path(const std::string& given);

/// Where files of these patterns are, and where they go: the same path in the project at home. A folder is
/// named by its first part, so that nothing lands in another one. Patterns that result_path() refuses are
/// left out.
std::vector<CollectSource> sources_of(const std::vector<std::string>& patterns,
                                      const std::filesystem::path& project);

/// Remembers them for every later collection of this rental.
Result<void> remember_paths(const Deps& d, const Rental& rental, const std::vector<std::string>& paths);
/// What was remembered, and what CLAUDE.md says now.
Result<std::vector<std::string>> remembered_paths(const Deps& d, const Rental& rental);

}  // namespace vastgpu
