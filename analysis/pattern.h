#pragma once
// A compiled regular expression (PCRE2, UTF-8 agnostic, case ignored). Matching is bounded: a hostile text
// costs a failed match, not time. Constant after compiling; any thread.

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vastgpu {

class Pattern {
 public:
  /// `source` is ours, or from the embedded table: one that does not compile matches nothing.
  explicit Pattern(std::string_view source);

  struct Match {
    std::size_t at = 0, end = 0;
    std::vector<std::string> groups;  ///< 0 is the whole; unset groups are empty
    const std::string& operator[](std::size_t i) const { return groups[i]; }
  };
  std::optional<Match> find(std::string_view in, std::size_t from = 0) const;
  /// Every match, in order; at most 50.
  std::vector<Match> find_all(std::string_view in) const;
  bool in(std::string_view text) const { return find(text).has_value(); }
  /// Length of the first match; 0 when there is none. Cheaper than `find`.
  std::size_t length_in(std::string_view text) const;

 private:
  struct Free {
    void operator()(void* code) const noexcept;
  };
  std::unique_ptr<void, Free> code_;
};

}  // namespace vastgpu
