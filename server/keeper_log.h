#pragma once
// keeper.log in the state folder: what a keeper did, since nobody sees its stderr. Several processes may
// write at once: every line is one write to the end of the file. Any thread.

#include <filesystem>
#include <string>

namespace vastgpu {

class KeeperLog {
 public:
  /// At most `limit` bytes and one older file of the same size, keeper.log.1; only the owner may read them.
  explicit KeeperLog(const std::filesystem::path& state_folder, std::size_t limit = 1 << 20)
      : path_(state_folder / "keeper.log"), limit_(limit) {}

  /// "2026-10-02T08:15:00Z 4711 line" in real time, cleaned. A full disk costs the line.
  void write(const std::string& line) const;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  std::size_t limit_;
};

}  // namespace vastgpu
