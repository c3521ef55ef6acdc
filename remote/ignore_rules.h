#pragma once
// What `.gitignore` and files of its kind say. Pure, but for reading the file handed in; any thread.

#include <bitset>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vastgpu {

/// One pattern of git's: `*` and `?` stay within a part of the path, `**` between slashes crosses parts, sets
/// with ranges and `[:alpha:]`, `\` takes the next character literally. Time is bounded by pattern x path,
/// whatever they are.
class IgnorePattern {
 public:
  /// A pattern without escapes that end it and with all its brackets closed; otherwise it matches nothing, as
  /// in git.
  explicit IgnorePattern(std::string_view pattern);
  bool matches(std::string_view text) const;

 private:
  enum class Kind { byte, one, set, star, any, folders };
  struct Element {
    Kind kind;
    unsigned char byte = 0;
    std::bitset<256> set = {};
  };
  static std::optional<Element> read_set(std::string_view p, std::size_t& at);
  std::string literal_;  // what it begins with, up to the first special character
  std::vector<Element> elements_;
  std::optional<std::string> ending_;  // it is "*" and this, as most are
  bool never_ = false;
};

/// The lines of one file, which stands in `folder`. The last line that matches decides.
/// @source git's gitignore(5) and its dir.c, wildmatch.c
class IgnoreFile {
 public:
  IgnoreFile(std::string_view content, std::string folder);

  enum class Verdict { silent, ignored, wanted };
  /// `path` is relative to the root, as `folder` is, and lies below it.
  Verdict verdict(std::string_view path, bool is_folder) const;

  /// Whether a line with "!" could match something below this folder that the line names from its root on:
  /// "!data/small.csv" for "data".
  bool wants_below(std::string_view folder) const;
  bool empty() const { return lines_.empty(); }

 private:
  struct Line {
    IgnorePattern pattern;
    std::string text;  ///< anchored ones only, without the leading slash
    bool wanted = false;
    bool folders_only = false;
    bool whole_path = false;  ///< a slash inside: matches from the file's folder on, not just the last part
  };
  std::string folder_;  // "" or "a/b/"
  std::vector<Line> lines_;
};

}  // namespace vastgpu
