#pragma once
// Puts a new text in the place of the instance file while others may be writing it too. One thread, under our
// lock.
//
// The cycle: look() → the caller merges into text() → swap_in(). When somebody wrote in between, swap_in says
// false and text() is what they wrote: merge again. Their edit may be displaced at that time; dying before
// the next swap_in puts it back.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/json.h"
#include "state/disk.h"

namespace vastgpu {

/// A file as it is now.
struct InstanceText {
  std::optional<std::string> text;  ///< nothing: there is no file
  Result<json> parsed = json::array();
};

/// Reads and parses; an editor that is in the middle of rewriting the file is given a tenth of a second.
/// @error corrupt  over 8 MB, or no regular file; a text that does not parse is no error here but in `parsed`
Result<InstanceText> read_instance_text(Disk& disk, const std::filesystem::path& path);

class Replacement {
 public:
  Replacement(Disk& disk, std::filesystem::path target);
  Replacement(const Replacement&) = delete;
  Replacement& operator=(const Replacement&) = delete;
  /// Removes temporary files, and puts back what was displaced and not merged.
  ~Replacement();

  Result<void> look();
  const InstanceText& text() const { return text_; }

  /// True: `merged` stands in the file and would survive a power cut. False: see above.
  /// @error unavailable  the file reads as somebody else left it
  Result<bool> swap_in(const std::string& merged);

 private:
  Result<bool> again(Result<InstanceText> seen);
  Result<bool> exchange(const std::filesystem::path& ours, const std::string& merged);
  Result<bool> finish();

  Disk& disk_;
  std::filesystem::path target_;
  InstanceText text_;  ///< what to merge into
  std::optional<std::string>
      in_place_;  ///< what we expect to displace; when it is something else, somebody wrote
  std::optional<std::filesystem::path> displaced_;
  std::vector<std::filesystem::path> made_;
};

/// Writes a new file of this name and nothing else, whole or not at all. An existing one is left as it is.
Result<void> keep_copy(Disk& disk, const std::filesystem::path& path, std::string_view content);

}  // namespace vastgpu
