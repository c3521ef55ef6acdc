#pragma once
// Which bytes of something are there. One thread at a time.

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <map>
#include <vector>

namespace vastgpu {

struct Range {
  std::uint64_t from = 0, to = 0;  ///< [from, to)
  std::uint64_t size() const { return to - from; }
  bool operator==(const Range&) const = default;
};

class Ranges {
 public:
  void add(Range r) {
    if (r.from >= r.to) return;
    auto next = there_.upper_bound(r.from);
    if (next != there_.begin() && std::prev(next)->second >= r.from) --next;
    while (next != there_.end() && next->first <= r.to) {
      r = {std::min(r.from, next->first), std::max(r.to, next->second)};
      total_ -= next->second - next->first;
      next = there_.erase(next);
    }
    there_[r.from] = r.to;
    total_ += r.size();
  }
  std::uint64_t total() const { return total_; }
  /// Bytes from the beginning without a hole.
  std::uint64_t prefix() const {
    return there_.empty() || there_.begin()->first != 0 ? 0 : there_.begin()->second;
  }
  /// What is missing below `size`, in order.
  std::vector<Range> missing(std::uint64_t size) const {
    std::vector<Range> gaps;
    std::uint64_t at = 0;
    for (const auto& [from, to] : there_) {
      if (from >= size) break;
      if (from > at) gaps.push_back({at, from});
      at = to;
    }
    if (at < size) gaps.push_back({at, size});
    return gaps;
  }

 private:
  std::map<std::uint64_t, std::uint64_t> there_;  // from -> to; never touching each other
  std::uint64_t total_ = 0;
};

}  // namespace vastgpu
