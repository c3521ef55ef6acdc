#pragma once
// Reading files that others may change meanwhile. Any thread.

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "core/fd.h"
#include "remote/local_tree.h"

namespace vastgpu {

/// A file as the tree found it: same size, same time. Links are not followed.
class WatchedFile {
 public:
  /// nullopt when it went away or is another one by now.
  static std::optional<WatchedFile> open(const LocalTree& tree, const LocalFile& file);
  /// Fills `into` from `offset`; false when there is less.
  bool read(std::uint64_t offset, std::span<char> into) const;
  bool unchanged() const;

 private:
  WatchedFile(Fd fd, const LocalFile& file) : fd_(std::move(fd)), file_(&file) {}
  Fd fd_;
  const LocalFile* file_;
};

/// Pieces from the beginning, middle and end, at most `at_most` bytes of each file.
std::string sample_of(const LocalTree& tree, const LocalFile& file, std::size_t at_most);
/// Whether packing makes a sample smaller by more than a tenth.
bool pays_to_pack(Packing packing, const std::string& sample);

}  // namespace vastgpu
