#pragma once
// File name patterns, as SyncRules and CollectSource describe them. Pure functions; any thread.

#include <string>
#include <string_view>
#include <vector>

namespace vastgpu {

/// `*` and `?` stay within one part of the path, `**` crosses parts ("**/" also matches nothing), [a-z] and
/// [!a-z] are sets, `\` takes the next character literally. Time is bounded by pattern x path, whatever they
/// are.
bool glob_matches(std::string_view pattern, std::string_view path);

/// A list of patterns, matched against a path relative to the root or its last part. "name/" matches folders,
/// and everything below one. A leading "/" ties a pattern to the root.
class Globs {
 public:
  explicit Globs(const std::vector<std::string>& patterns);
  bool empty() const { return files_.empty() && folders_.empty(); }
  bool matches_file(std::string_view path) const;    ///< itself, or a folder above it
  bool matches_folder(std::string_view path) const;  ///< the folder itself, by either kind of pattern

 private:
  std::vector<std::string> files_;
  std::vector<std::string> folders_;
};

}  // namespace vastgpu
