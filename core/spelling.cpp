#include "core/spelling.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "core/text.h"

namespace vastgpu {
namespace {
constexpr std::size_t kMaxCompared = 80;  // no name of ours is longer, and the cost grows with the square
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  const std::string from = to_lower(a.substr(0, kMaxCompared)), to = to_lower(b.substr(0, kMaxCompared));
  std::vector<std::size_t> row(to.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= from.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= to.size(); ++j) {
      const std::size_t changed = diagonal + (from[i - 1] == to[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, changed});
    }
  }
  return row.back();
}

std::string nearest_name(std::string_view name, const std::vector<std::string>& known) {
  std::string nearest;
  std::size_t least = kMaxCompared;
  for (const std::string& k : known) {
    const std::size_t d = edit_distance(name, k);
    if (d >= least) continue;
    least = d;
    nearest = k;
  }
  // A third of the letters wrong is still a slip; more is another word. Short names have no third to spare.
  const std::size_t allowed = nearest.size() < 4 ? 1 : std::max<std::size_t>(2, nearest.size() / 3);
  return least <= allowed ? nearest : std::string();
}

}  // namespace vastgpu
