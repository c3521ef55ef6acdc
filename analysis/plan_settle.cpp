#include "analysis/plan_settle.h"

#include <algorithm>
#include <cmath>

#include "analysis/amounts.h"
#include "analysis/plan_steps.h"
#include "analysis/plan_words.h"
#include "core/text.h"

namespace vastgpu {
namespace {

using namespace plan_words;
using Kind = StatedTotal::Kind;

constexpr std::size_t kMaxCosts = 300;  // of one group

bool about_equal(double a, double b, double tolerance = 0.03) {
  return std::abs(a - b) <= tolerance * std::max(std::abs(a), std::abs(b)) + 1e-9;
}

class Settler {
 public:
  Settler(FoundHours found, const std::vector<MarkLine>& lines, int gpus)
      : found_(std::move(found)), lines_(lines), gpus_(gpus) {}

  PlanHours settle() {
    const auto computed = compute_hours(lines_, gpus_);
    const auto number = [&](Kind kind) -> std::optional<PlanNumber> {
      const auto at = found_.best.find(kind);
      return at == found_.best.end() || at->second.score == 0 ? std::nullopt
                                                              : std::optional(at->second.hours);
    };
    const auto rest = number(Kind::rest);
    out_.total = rest ? rest : number(Kind::all);
    out_.total_is_rest = rest.has_value();
    out_.must_run = number(Kind::must_run);
    out_.ceiling = number(Kind::ceiling);
    out_.wall = number(Kind::wall);
    if (!out_.total && out_.must_run && found_.tables.empty() && found_.items.costs.empty() &&
        found_.blocks.costs.empty())
      out_.total = out_.must_run;

    for (const ComputedHours& c : computed) resolve(c);
    CostGroup group = choose_group(out_.total ? std::optional(out_.total->high) : std::nullopt);
    out_.unread = group.costs.empty() && group.unread.empty() ? found_.wordy : group.unread;
    out_.costs = group.costs;
    for (std::size_t i = 0; i < out_.costs.size(); ++i) {
      PlanCost& c = out_.costs[i];
      c.optional = c.optional || found_.optional.count(c.key) > 0 ||
                   only_optional_refs(i < group.refs.size() ? group.refs[i] : "");
    }
    std::ranges::stable_sort(out_.costs, {}, [](const PlanCost& c) { return c.gpu_hours.line; });
    // A list names its costs loosely: one without a number ("see above") may be the largest.
    out_.sum_is_partial = chose_items_ && !out_.unread.empty();
    settle_bare_hours();
    settle_reserve(number(Kind::with_reserve), number(Kind::reserve));
    // A budget above the estimate is what may be spent.
    if (const auto budget = found_.best.find(Kind::all); budget != found_.best.end() && !out_.ceiling &&
                                                         out_.total && found_.budget &&
                                                         found_.budget->high > out_.total->high * 1.01)
      out_.ceiling = found_.budget;
    if (!out_.wall && !computed.empty() && !out_.total) {
      PlanNumber wall = computed.front().wall;
      for (const ComputedHours& c : computed)
        if (c.wall.high > wall.high) wall = c.wall;
      out_.wall = wall;
    }
    out_.warnings = std::move(found_.warnings);
    return std::move(out_);
  }

 private:
  /// Several tables: rows of the same key are one cost; a table that repeats what others add up to is theirs.
  CostGroup merge_tables() const {
    CostGroup all;
    std::map<std::string, std::size_t> seen;
    for (const FoundHours::Table& t : found_.tables) {
      for (std::size_t i = 0; i < t.group.costs.size() && all.costs.size() < kMaxCosts; ++i) {
        // Rows of a table inside a block are parts of that block: "R1" of one is not "R1" of another.
        const std::string key =
            t.block.empty() ? t.group.costs[i].key : key_of(plain(t.block)) + "/" + t.group.costs[i].key;
        if (!seen.emplace(key, all.costs.size()).second) continue;
        all.costs.push_back(t.group.costs[i]);
        all.refs.push_back(t.group.refs[i]);
      }
      all.unread.insert(all.unread.end(), t.group.unread.begin(), t.group.unread.end());
    }
    return all;
  }

  /// Of all ways in which the plan breaks its cost down, the one that fits its total; else the most explicit.
  CostGroup choose_group(std::optional<double> stated) {
    std::vector<CostGroup> candidates;
    if (found_.tables.size() > 1) {
      // A summary repeats the rest: it alone adds up to what the other tables do.
      for (std::size_t i = 0; i < found_.tables.size() && i < 20; ++i) {
        double others = 0;
        for (std::size_t k = 0; k < found_.tables.size(); ++k)
          if (k != i) others += found_.tables[k].group.high();
        if (found_.tables[i].group.costs.size() > 1 && about_equal(others, found_.tables[i].group.high()))
          candidates.push_back(found_.tables[i].group);
      }
    }
    if (!found_.tables.empty()) candidates.push_back(merge_tables());
    for (const FoundHours::Table& t : found_.tables)
      if (found_.tables.size() > 1 && stated && candidates.size() < 30) candidates.push_back(t.group);
    if (!found_.blocks.costs.empty() || !found_.blocks.unread.empty()) candidates.push_back(found_.blocks);
    if (!found_.items.costs.empty() || !found_.items.unread.empty()) candidates.push_back(found_.items);
    const bool items_last = !found_.items.costs.empty() || !found_.items.unread.empty();
    const auto choose = [&](std::size_t i) {
      chose_items_ = items_last && i + 1 == candidates.size();
      return candidates[i];
    };
    for (std::size_t i = 0; stated && i < candidates.size(); ++i)
      if (!candidates[i].costs.empty() && about_equal(candidates[i].high(), *stated)) return choose(i);
    for (std::size_t i = 0; i < candidates.size(); ++i)
      if (!candidates[i].costs.empty()) return choose(i);
    return candidates.empty() ? CostGroup{} : choose(0);
  }

  /// Hours that were computed for a section stand in for "B1: see above", or are a cost of their own.
  void resolve(const ComputedHours& c) {
    Cost cost{.reading = Cost::Reading::hours, .gpu_hours = c.gpu_hours};
    for (CostGroup* g : {&found_.items, &found_.blocks}) {
      const auto at = std::ranges::find_if(
          g->unread, [&](const std::string& name) { return key_of(plain(name)) == c.key; });
      if (at == g->unread.end()) continue;
      g->costs.insert(g->costs.begin(), cost_entry(*at, cost, false, ""));
      g->refs.insert(g->refs.begin(), "");
      g->unread.erase(at);
      return;
    }
    if (found_.items.costs.empty() && found_.tables.empty())
      found_.add(found_.blocks, c.name.empty() ? "training" : c.name, cost, false, "");
  }

  bool only_optional_refs(const std::string& refs) const {
    if (refs.empty() || found_.optional.empty()) return false;
    return std::ranges::all_of(split(refs, ' '),
                               [&](const std::string& key) { return found_.optional.count(key) > 0; });
  }

  /// Bare hours are GPU-hours, unless the total says that they were clock hours of several cards.
  void settle_bare_hours() {
    const auto bare = [](const PlanCost& c) { return c.gpu_hours.assumed && c.gpu_hours.high > 0; };
    if (gpus_ <= 1 || !out_.total || out_.total->assumed || out_.costs.empty() ||
        !std::ranges::any_of(out_.costs, bare))
      return;
    const auto sum = out_.sum();
    if (!sum || about_equal(sum->high, out_.total->high) || !about_equal(sum->high * gpus_, out_.total->high))
      return;
    for (PlanCost& c : out_.costs) {
      if (!bare(c)) continue;
      PlanNumber& h = c.gpu_hours;
      h.how = fixed(h.high, 2) + " h x " + std::to_string(gpus_) + " GPUs, as the total says";
      h.low *= gpus_;
      h.high *= gpus_;
      h.assumed = false;
    }
  }

  void settle_reserve(std::optional<PlanNumber> with, std::optional<PlanNumber> reserve) {
    const auto planned = out_.total ? out_.total : out_.sum();
    if (!planned) return;
    if (with && with->high > planned->high) {
      out_.with_reserve = with;
    } else if (reserve) {
      PlanNumber all = *reserve;
      all.how = fixed(planned->high, 2) + " planned + " + fixed(reserve->high, 2) + " in reserve";
      all.low = planned->low;
      all.high += planned->high;
      // "Reserved slack: 1,056" is what the ceiling leaves, not work that is feared.
      if (reserve->high <= planned->high * 0.6) out_.with_reserve = all;
    }
  }

  FoundHours found_;
  const std::vector<MarkLine>& lines_;
  int gpus_;
  PlanHours out_;
  bool chose_items_ = false;
};

}  // namespace

void FoundHours::offer(StatedTotal total) {
  if (total.hours.high <= 0 && total.kind != Kind::all) return;
  StatedTotal& known = best[total.kind];
  if (total.score > known.score) known = std::move(total);
}

void FoundHours::add(CostGroup& group, std::string_view name, const Cost& cost, bool is_optional,
                     std::string_view cell) {
  const std::string shown = without_secrets(clean_line(without_emphasis(name), 60));
  if (cost.reading == Cost::Reading::absurd) warn_absurd(cost.gpu_hours.line);
  if (cost.reading != Cost::Reading::hours) {
    if (group.unread.size() < kMaxCosts) group.unread.push_back(shown);
    return;
  }
  PlanCost entry = cost_entry(shown, cost, is_optional, cell);
  const bool known = std::ranges::any_of(group.costs, [&](const PlanCost& c) { return c.key == entry.key; });
  if (!known && group.costs.size() < kMaxCosts) {
    group.costs.push_back(std::move(entry));
    group.refs.emplace_back();
  }
}

void FoundHours::warn_absurd(int line) {
  if (warnings.size() < 10) warnings.push_back(absurd_warning(line));
}

std::optional<PlanNumber> PlanHours::sum() const {
  if (costs.empty() || sum_is_partial) return std::nullopt;
  PlanNumber all{0, 0, costs.front().gpu_hours.line, false};
  for (const PlanCost& c : costs) {
    all.low = c.cumulative ? std::max(all.low, c.gpu_hours.low) : all.low + c.gpu_hours.low;
    all.high = c.cumulative ? std::max(all.high, c.gpu_hours.high) : all.high + c.gpu_hours.high;
    all.assumed = all.assumed || c.gpu_hours.assumed;
  }
  return all;
}

std::optional<double> PlanHours::must_run_sum() const {
  if (sum_is_partial || std::ranges::none_of(costs, &PlanCost::optional)) return std::nullopt;
  double all = 0;
  for (const PlanCost& c : costs)
    if (!c.optional) all = c.cumulative ? std::max(all, c.gpu_hours.high) : all + c.gpu_hours.high;
  return all;
}

PlanHours settle_hours(FoundHours found, const std::vector<MarkLine>& lines, int gpus) {
  return Settler(std::move(found), lines, gpus).settle();
}

}  // namespace vastgpu
