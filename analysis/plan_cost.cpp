#include "analysis/plan_cost.h"

#include <algorithm>
#include <vector>

#include "analysis/amounts.h"
#include "analysis/plan_words.h"
#include "core/text.h"

namespace vastgpu {
namespace {

using namespace plan_words;

/// Numbers that belong together: "3 seeds x 1.5h x 4 GPUs", "2h on 4x A100".
struct Chain {
  double low = 1, high = 1;
  bool has_time = false;  ///< hours of whatever kind
  bool has_bare = false;  ///< only numbers: hours where the column says so
  bool gpu = false;       ///< GPU-hours, or hours by a number of GPUs
  bool explicit_gpu = false;
  bool other = false;  ///< hours of CPUs or people
  bool absurd = false;
  bool limit = false;
  bool counted = false;  ///< a number of runs is in it
  int gpus = 0;
  std::optional<std::pair<double, double>> clock;  ///< "3.4 days wall on 8 GPUs": the time alone
  int parts = 0;
  std::size_t at = 0, end = 0;
};

bool is_letter(char c) { return c >= 'a' && c <= 'z'; }

/// Whether two numbers are factors of one product, by what stands between them.
bool multiplies(std::string_view between, const Chain& before, const Amount& next, bool next_is_gpus,
                const ColumnUnit& column) {
  const std::string_view t = trim(between);
  if (t == "x" || t == "*") return true;
  const bool crossed =
      !t.empty() && (t.back() == 'x' || t.back() == '*') && (t.size() == 1 || !is_letter(t[t.size() - 2]));
  if (crossed && t.size() <= 32 && t.find_first_of("(),;+=|") == std::string_view::npos) return true;
  if (t.starts_with("x ") && t.size() <= 24 && t.find_first_of("(),;+=|/") == std::string_view::npos &&
      (next.unit == Unit::hours || next.unit == Unit::gpu_hours))
    return false;  // "x seeds 3": too loose
  const bool linked = t == "on" || t == "@" || t == "using" || t == "with" || t == "across" || t == "over" ||
                      t == "on the" || t == "wall on" || t == "wall-clock on" || t == "each on" ||
                      t == "in parallel on";
  // Under "GPU-hours" a number of cards in words explains; only a product counts.
  if (before.has_time && next_is_gpus && !column.gpu && (linked || t == "(" || t == ",")) return true;
  const bool lasts = t == "for" || t == "for ~" || t == "for about";
  return lasts && before.gpus > 0 && !before.has_time && next.unit == Unit::hours;
}

std::vector<Chain> chains_of(std::string_view t, const ColumnUnit& column) {
  std::vector<Chain> found;
  const auto cards = find_gpu_mentions(t);
  const Amount* previous = nullptr;
  const auto amounts = find_amounts(t);
  for (const Amount& a : amounts) {
    const bool in_card =
        std::ranges::any_of(cards, [&](const GpuMention& c) { return a.at >= c.at && a.at < c.end; });
    if (in_card || a.unit == Unit::dollars || a.unit == Unit::gib) continue;
    const bool counts_cards = a.unit == Unit::gpus ||
                              (a.unit == Unit::none && std::ranges::any_of(cards, [&](const GpuMention& c) {
                                 return c.count && *c.count == a.high && c.at >= a.end && c.at <= a.end + 12;
                               }));
    double factor = 1;
    Unit unit = a.unit;
    if (unit == Unit::none && a.end < t.size() && t[a.end] == 'd' &&
        (a.end + 1 == t.size() || !is_letter(t[a.end + 1])) && !column.gpu) {  // "1.5d"
      unit = Unit::hours;
      factor = 24;
    }
    const bool joins =
        previous != nullptr &&
        multiplies(t.substr(previous->end, a.at - previous->end), found.back(), a, counts_cards, column) &&
        !(found.back().has_time &&
          (unit == Unit::hours || unit == Unit::gpu_hours || unit == Unit::other_hours));
    if (!joins) {
      found.emplace_back();
      found.back().at = a.at;
    }
    Chain& chain = found.back();
    if (joins && counts_cards && chain.has_time && says_wall(t.substr(previous->end, a.at - previous->end)))
      chain.clock = {chain.low, chain.high};
    chain.end = a.end;
    ++chain.parts;
    chain.absurd = chain.absurd || a.absurd;
    chain.limit = chain.limit || a.limit;
    previous = &a;
    switch (unit) {
      case Unit::gpu_hours:
        chain.explicit_gpu = chain.gpu = true;
        [[fallthrough]];
      case Unit::hours:
        chain.has_time = true;
        chain.low *= a.low * factor;
        chain.high *= a.high * factor;
        break;
      case Unit::other_hours:
        chain.has_time = chain.other = true;
        break;
      default:
        if (counts_cards) {
          chain.gpus = static_cast<int>(std::clamp(a.high, 1.0, 1e4));
        } else {
          chain.has_bare = true;
          chain.counted = true;
          chain.low *= a.low;
          chain.high *= a.high;
        }
    }
  }
  for (Chain& c : found)
    if (c.gpus > 0 && c.has_time && !c.explicit_gpu && !c.other) {
      c.low *= c.gpus;
      c.high *= c.gpus;
      c.gpu = true;
    }
  return found;
}

std::string_view words_behind(std::string_view t, std::size_t end, std::size_t most = 28) {
  std::string_view behind = t.substr(std::min(end, t.size()), most);
  return behind.substr(0, behind.find_first_of("(),;|+"));
}
std::string_view words_before(std::string_view t, std::size_t at, std::size_t most = 28) {
  std::string_view before = t.substr(at > most ? at - most : 0, std::min(at, most));
  const std::size_t cut = before.find_last_of("(),;|+");
  return cut == std::string_view::npos ? before : before.substr(cut + 1);
}

int depth_at(std::string_view t, std::size_t at) {
  int depth = 0;
  for (std::size_t i = 0; i < at && i < t.size(); ++i) depth += t[i] == '(' ? 1 : t[i] == ')' ? -1 : 0;
  return depth;
}

/// What the words around a chain make of it.
struct Reading {
  const Chain* chain;
  bool wall, each, refused, other, inner, limited;
};
Reading judge(std::string_view t, const Chain& c, const ColumnUnit& column) {
  const std::string_view before = words_before(t, c.at);
  const std::string_view behind = words_behind(t, c.end);
  Reading r{&c, false, false, false, false, depth_at(t, c.at) > 0, false};
  r.limited = says_limit(behind) || (!r.inner && says_limit(before));
  const bool bare = c.has_bare && !c.has_time;
  r.wall = !c.gpu && (says_wall(behind) || says_wall(before));
  r.each = says_each(behind) && !c.counted;
  r.refused = says_kill(before) || says_reserve(before) || says_used(before) || says_reserve(behind) ||
              says_used(behind) || (r.inner && says_limit(before)) || has_word(before, {"of", "out of"}) ||
              c.limit;
  const bool cpu = has_word(t, {"cpu", "cpus"}) && !has_word(t, {"gpu", "gpus"});
  r.other = c.other || (!c.gpu && (cpu || ((says_other_work(behind) || says_other_work(before)) &&
                                           !has_word(t, {"gpu", "gpus"}))));
  if (bare) {
    const std::string_view rest = trim(t.substr(c.end));
    const bool alone = rest.empty() || std::string_view("(,;/=+~").find(rest[0]) != std::string_view::npos ||
                       says_each(behind) || rest.starts_with("total") || says_cumulative(behind);
    if (!column.bare_numbers || !alone) r.refused = true;
  }
  if (!bare && !c.has_time) r.refused = true;
  return r;
}

}  // namespace

Cost read_cost(std::string_view t, const ColumnUnit& column, int line) {
  Cost cost;
  cost.gpu_hours.line = line;
  const auto chains = chains_of(t, column);
  std::vector<Reading> readings;
  for (const Chain& c : chains) {
    if (c.absurd && (c.has_time || (column.bare_numbers && c.has_bare))) {
      cost.reading = Cost::Reading::absurd;
      return cost;
    }
    readings.push_back(judge(t, c, column));
  }
  const auto bare_of = [](const Reading& r) { return r.chain->has_bare && !r.chain->has_time; };
  const auto usable = [](const Reading& r) { return !r.refused && !r.other && !r.wall; };
  const auto find = [&](auto fits) -> const Reading* {
    for (const Reading& r : readings)
      if (usable(r) && fits(r)) return &r;
    return nullptr;
  };
  // What is said to be a limit counts only where nothing else is said.
  const bool only_limits = std::ranges::none_of(readings, [&](const Reading& r) {
    return usable(r) && !r.limited && (r.chain->has_time || column.bare_numbers);
  });
  for (Reading& r : readings) r.refused = r.refused || (r.limited && !only_limits);
  // A number that opens a GPU column is the answer; then GPU-hours in so many words; then hours by GPUs.
  const Reading* best = nullptr;
  for (const Reading& r : readings)  // "3 runs x 2h = 6h"
    if (usable(r) && !r.inner && words_before(t, r.chain->at).find('=') != std::string_view::npos) best = &r;
  if (best == nullptr)
    best = find(
        [&](const Reading& r) { return !r.inner && (r.chain->explicit_gpu || (column.gpu && bare_of(r))); });
  if (best == nullptr) best = find([](const Reading& r) { return r.chain->explicit_gpu; });
  if (best == nullptr) {
    best = find([](const Reading& r) { return r.chain->has_time && !r.inner; });
    // "24h (6h x 4 GPUs)" explains the 24, "6h wall (4 GPUs)" does not.
    if (best == nullptr) best = find([](const Reading& r) { return r.chain->has_time; });
  }
  if (best == nullptr) best = find([&](const Reading& r) { return bare_of(r) && !r.inner; });

  for (const Reading& r : readings)
    if (r.chain->clock)
      cost.wall_hours = PlanNumber{r.chain->clock->first, r.chain->clock->second, line, false};
  for (const Reading& r : readings)
    if (r.wall && r.chain->has_time && !r.other)
      cost.wall_hours = PlanNumber{r.chain->low, r.chain->high, line, false};
  if (best == nullptr) {
    const std::string_view whole = trim(t);
    const bool none = whole == "0" || whole == "none" || whole == "无" ||
                      has_word(whole, {"no gpu", "cpu only", "cpu-only", "no compute", "0 gpu"});
    const bool others = std::ranges::any_of(readings, [](const Reading& r) { return r.other; });
    if (none || others) {
      cost.reading = Cost::Reading::hours;  // time, but of no GPU
    } else if (cost.wall_hours) {
      cost.reading = Cost::Reading::hours;
      cost.wall = true;
      cost.gpu_hours = *cost.wall_hours;
      cost.gpu_hours.assumed = true;
    } else if (!chains.empty() && column.bare_numbers && chains.front().limit &&
               trim(t.substr(0, chains.front().at)).size() <= 2) {
      cost.reading = Cost::Reading::hours;  // ">10": at least that
      cost.gpu_hours = {chains.front().low * column.factor, chains.front().high * column.factor, line,
                        !column.gpu};
    }
    return cost;
  }

  cost.reading = Cost::Reading::hours;
  const Chain& c = *best->chain;
  const double factor = bare_of(*best) ? column.factor : 1;
  cost.gpu_hours.low = c.low * factor;
  cost.gpu_hours.high = c.high * factor;
  cost.gpu_hours.assumed = !c.gpu && !column.gpu;
  cost.each = best->each;
  // "6 GPUh + 4 GPUh" is one cost.
  const Chain* last = &c;
  for (const Reading& r : readings) {
    if (r.chain->at <= last->end || !usable(r) || r.inner != best->inner ||
        (!r.chain->has_time && !bare_of(r)))
      continue;
    const std::string_view between = t.substr(last->end, r.chain->at - last->end);
    if (between.find('+') == std::string_view::npos || between.find('=') != std::string_view::npos) continue;
    const double more = bare_of(r) ? column.factor : 1;
    cost.gpu_hours.low += r.chain->low * more;
    cost.gpu_hours.high += r.chain->high * more;
    last = r.chain;
  }
  return cost;
}

std::optional<PlanNumber> must_in(std::string_view value, int line) {
  for (const Amount& a : find_amounts(value)) {
    if (a.absurd || (a.unit != Unit::gpu_hours && a.unit != Unit::hours && a.unit != Unit::none)) continue;
    const std::string_view before = value.substr(0, a.at);
    if (says_must(before.substr(before.find_last_of("(),;|+") + 1)) &&
        before.find_first_of("(,;") != std::string_view::npos)
      return PlanNumber{a.low, a.high, line, false};
  }
  return std::nullopt;
}

std::optional<PlanNumber> limit_in(std::string_view value, int line) {
  for (const Amount& a : find_amounts(value)) {
    if (a.absurd || (a.unit != Unit::gpu_hours && a.unit != Unit::hours && a.unit != Unit::none)) continue;
    const std::string_view before = value.substr(0, a.at);
    const std::size_t cut = before.find_last_of("(),;|+");
    std::string words(cut == std::string_view::npos ? before : before.substr(cut + 1));
    const std::string_view behind = value.substr(a.end, 28);  // "3 GPU-weeks at most"
    if (has_word(behind.substr(0, behind.find_first_of("(),;|+")), {"at most", "max", "maximum", "cap"}))
      words += " cap";
    if (has_word(words, {"ceiling", "cap", "hard cap", "hard limit", "limit", "at most", "max", "maximum",
                         "no more than", "never exceed", "上限", "封顶", "不超过", "最多"}))
      return PlanNumber{a.low, a.high, line, false};
  }
  return std::nullopt;
}

}  // namespace vastgpu
