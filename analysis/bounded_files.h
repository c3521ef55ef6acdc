#pragma once
// Text files of a project, read within limits: nothing in a folder can make us hang, run out of memory or
// leave it. One thread at a time.

#include <cstdint>
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
  static constexpr int kMaxFiles = 8'000;                    // that `find` may return
  static constexpr int kMaxEntries = 60'000;                 // that are looked at, of the whole project
  static constexpr int kMaxDepth = 6;                        // folders below the project

  explicit ProjectFiles(const std::filesystem::path& project);

  /// The file as clean UTF-8 with its line breaks; nullopt when it is absent or refused: a folder, binary,
  /// too large, or a link that leaves the project.
  std::optional<std::string> read(const std::filesystem::path& relative);

  struct Found {
    std::filesystem::path path;  ///< relative to the project
    std::filesystem::file_time_type changed;
    std::size_t bytes = 0;
  };
  /// Regular files whose names end so, nearest to the root first, then by name. Links to folders are not
  /// followed; hidden folders and those of environments, data and outputs are skipped.
  std::vector<Found> find(std::initializer_list<std::string_view> endings);

  /// As find, but in this folder alone and those two levels below it, which may be a skipped one ("logs").
  std::vector<Found> find_in(const std::filesystem::path& folder,
                             std::initializer_list<std::string_view> endings);

  /// True for a regular file of the project (or a link to one).
  bool has(const std::filesystem::path& relative) const;

  /// Bytes of all files below a folder, by their directory entries alone; of an enormous one, of the first
  /// 20,000.
  std::uint64_t bytes_below(const std::filesystem::path& folder) const;

  /// Adds to `warnings` once.
  void warn(std::string what);

  std::vector<std::string> warnings;

 private:
  struct Listed {
    std::string path;  ///< relative to the project
    bool linked = false;
  };
  /// Files below `start` in the order of find; stops at `entries` of them.
  void list(const std::filesystem::path& start, int depth, int& entries, std::vector<Listed>& into);
  std::vector<Found> matching(const std::vector<Listed>& files,
                              std::initializer_list<std::string_view> endings);

  std::filesystem::path root_;  ///< canonical; empty when there is no such folder
  std::size_t total_bytes_ = 0;
  std::optional<std::vector<Listed>> listing_;  ///< of the whole project, made once
};

}  // namespace vastgpu
