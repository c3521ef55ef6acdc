#pragma once
// Text files of a project, read within limits: nothing in a folder can make us hang, run out of memory or
// leave it. One thread at a time.

#include <filesystem>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vastgpu {

/// What is refused is named once in `warnings`; what is merely absent is not.
class ProjectFiles {
 public:
  static constexpr std::size_t kMaxFileBytes = 2'000'000;    // a script or plan is a hundred times smaller
  static constexpr std::size_t kMaxTotalBytes = 20'000'000;  // of all files read
  static constexpr int kMaxFiles = 2'000;                    // that `find` may return
  static constexpr int kMaxEntries = 20'000;                 // that `find` may look at
  static constexpr int kMaxDepth = 6;                        // folders below the project

  explicit ProjectFiles(const std::filesystem::path& project);

  /// The file as clean UTF-8 with its line breaks; nullopt when it is absent or refused: a folder, binary,
  /// too large, or a link that leaves the project.
  std::optional<std::string> read(const std::filesystem::path& relative);

  struct Found {
    std::filesystem::path path;  ///< relative to the project
    std::filesystem::file_time_type changed;
  };
  /// Regular files whose names end so, nearest to the root first, then by name. Links to folders are not
  /// followed; hidden folders and those of environments, data and outputs are skipped.
  std::vector<Found> find(std::initializer_list<std::string_view> endings);

  std::vector<std::string> warnings;

 private:
  void warn(std::string what);

  std::filesystem::path root_;  ///< canonical; empty when there is no such folder
  std::size_t total_bytes_ = 0;
};

}  // namespace vastgpu
