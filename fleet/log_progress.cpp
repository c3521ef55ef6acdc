#include "fleet/log_progress.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/text.h"
#include "fleet/log_numbers.h"

namespace vastgpu {
namespace {

constexpr std::size_t kMostBytes = 64 << 10;
constexpr std::size_t kLongestLine =
    1000;  // bars and dictionaries are shorter; a longer line says nothing more

/// A bar, or a line that counts steps.
struct Bar {
  std::int64_t done = 0, total = 0;
  bool of_epoch = false;   ///< its total is one epoch's
  bool whole_run = false;  ///< its total is the run's, whatever epochs there are
  std::optional<double> rate;
};

struct Findings {
  std::optional<Bar> bar;
  std::optional<double> summary;               ///< the trainer's own train_steps_per_second
  std::array<std::optional<double>, 3> rates;  ///< newest of each RateKind
  std::optional<std::int64_t> step;            ///< a step without a total
  std::optional<double> epoch;                 ///< epochs done, as told without a total
  std::optional<double> epochs_done, epochs_total;
};

/// Where the drawn part of a progress bar begins.
std::size_t bar_begins(std::string_view line) {
  for (const std::string_view sign : {"%|", "% |", "━", "[=", "[>"})
    if (const auto at = line.find(sign); at != std::string_view::npos) return at;
  return std::string_view::npos;
}

/// Bars of other work: evaluation, loading, downloading...
bool other_work(std::string_view before_bar) {
  constexpr std::array<std::string_view, 20> kOther{
      "eval",  "valid", "val",    "test",   "predict", "load", "download", "fetch",   "map",     "filter",
      "token", "gener", "sanity", "saving", "preproc", "cach", "scan",     "collect", "extract", "class"};
  std::size_t at = 0;
  while (at < before_bar.size()) {
    const auto letter = [&](std::size_t i) {
      const char c = before_bar[i];
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    };
    if (!letter(at)) {
      ++at;
      continue;
    }
    std::size_t end = at;
    while (end < before_bar.size() && letter(end)) ++end;
    const std::string word = to_lower(before_bar.substr(at, end - at));
    if (std::ranges::any_of(kOther, [&](std::string_view o) { return word.starts_with(o); })) return true;
    at = end;
  }
  return false;
}

bool is_epoch(std::string_view name) { return name == "epoch" || name == "epochs" || name == "ep"; }
bool is_step(std::string_view name) {
  for (const std::string_view word : {"step", "steps", "iter", "iters", "iteration", "iterations", "it",
                                      "batch", "batches", "update", "updates", "global_step", "train_step"})
    if (name == word) return true;
  return false;
}

/// The bar of the longest work wins, and its newest state: an evaluation in between is shorter.
void offer_bar(Findings& f, const Bar& bar) {
  if (!f.bar || bar.total >= f.bar->total) f.bar = bar;
}

bool mentions_epoch(std::string_view words) { return to_lower(words).find("epoch") != std::string::npos; }

/// Which counts of a line are about steps and about epochs.
struct Counted {
  std::optional<LogCount> steps, epochs;
  bool epoch_is_whole = false;  ///< the named epoch is over
};

Counted sort_counts(std::string_view line, const std::vector<LogNumber>& numbers, std::size_t bar_at,
                    bool about_training) {
  Counted c;
  const bool drawn = bar_at != std::string_view::npos;
  const auto counts = counts_of(line, numbers);
  for (const LogCount& count : counts) {
    if (is_epoch(count.name)) {
      if (!c.epochs) c.epochs = count;
      continue;
    }
    const bool in_bar = drawn && count.from >= bar_at;
    if (in_bar && c.steps && c.steps->to <= bar_at && !is_step(c.steps->name)) {
      // "3/100  2.51G ... 45%|###  | 50/110": what leads a line that has a bar of its own is the epoch.
      if (!c.epochs) c.epochs = c.steps;
      c.steps.reset();
    }
    if (!c.steps && (drawn || is_step(count.name) || (about_training && count.name.empty()))) c.steps = count;
  }
  if (drawn && c.steps && !c.epochs) {  // "Epochs:  30%|###   | 3/10 ["
    std::string words = to_lower(line.substr(0, bar_at));
    while (!words.empty() &&
           (words.back() == ' ' || words.back() == ':' || (words.back() >= '0' && words.back() <= '9')))
      words.pop_back();
    const bool numbered = std::ranges::any_of(
        numbers, [&](const LogNumber& n) { return is_epoch(n.name) && line.substr(n.to, 1) != "%"; });
    if (!numbered && (words.ends_with("epoch") || words.ends_with("epochs"))) {
      c.epochs = c.steps;
      c.steps.reset();
      c.epoch_is_whole = true;
    }
  }
  // An epoch that is named runs, unless the line reports on it as a whole.
  if (c.epochs && !c.steps && !drawn && about_training)
    c.epoch_is_whole = std::ranges::none_of(numbers, [](const LogNumber& n) { return is_step(n.name); });
  return c;
}

/// Steps per second where the line says the time of one step without a unit behind it.
std::optional<double> rate_in_words(std::string_view line, const std::vector<LogNumber>& numbers) {
  // "elapsed time per iteration (ms): 345.6"
  for (const std::string_view words : {"per iteration (ms):", "per step (ms):"})
    if (const auto at = line.find(words); at != std::string_view::npos)
      for (const LogNumber& n : numbers)
        if (n.from > at) return n.value > 1e-6 ? std::optional(1000 / n.value) : std::nullopt;
  // "time: 0.2345  data_time: 0.01": beside the time of the data it is the time of one step, in seconds.
  const auto named = [&](std::string_view name) {
    return std::ranges::find(numbers, name, &LogNumber::name);
  };
  const auto time = named("time");
  if (time != numbers.end() && time->unit.find('/') == std::string::npos && time->value > 1e-6 &&
      (named("data_time") != numbers.end() || named("data") != numbers.end()))
    return 1 / time->value;
  return std::nullopt;
}

void read_line(Findings& f, std::string_view line) {
  const auto numbers = numbers_of(line);
  if (numbers.empty()) return;
  const auto bar_at = bar_begins(line);
  const bool drawn = bar_at != std::string_view::npos;
  if (drawn && other_work(line.substr(0, bar_at))) return;

  std::array<std::optional<double>, 3> rates;
  for (const LogNumber& n : numbers)
    if (const auto rate = rate_of(n)) {
      rates[static_cast<std::size_t>(rate->kind)] = rate->per_second;
      if (n.name.ends_with("train_steps_per_second")) f.summary = rate->per_second;
    }
  if (!rates[0]) rates[0] = rate_in_words(line, numbers);
  const bool has_rate = rates[0] || rates[1] || rates[2];
  const bool about_training =
      has_rate || line.find("loss") != std::string_view::npos || line.find("Loss") != std::string_view::npos;

  const Counted counted = sort_counts(line, numbers, bar_at, about_training);
  if (counted.epochs) {
    const auto named = counted.epochs->done;
    f.epochs_done =
        static_cast<double>(counted.epoch_is_whole ? named : std::max<std::int64_t>(named - 1, 0));
    f.epochs_total = static_cast<double>(counted.epochs->total);
    if (drawn && counted.epoch_is_whole) rates[0].reset();  // "100 s/it" was about epochs
  }
  for (std::size_t kind = 0; kind < rates.size(); ++kind)
    if (rates[kind]) f.rates[kind] = rates[kind];
  if (const auto& c = counted.steps) {
    if (drawn && has_rate && !rates[0]) return;  // "52002/52002 [..., 3000 examples/s]": data, not steps
    const auto before = line.substr(0, c->from);
    const bool one_epoch = mentions_epoch(before) || before.find("|Loss") != std::string_view::npos;
    offer_bar(f, {c->done, c->total, one_epoch, c->name == "global_step", rates[0]});
  }
  if (counted.steps || counted.epochs) return;
  for (const LogNumber& n : numbers) {
    const bool a_time = n.unit == "s" || n.unit == "ms" || n.unit == "sec";
    if (n.whole && n.value <= 1e12 && is_step(n.name) && !a_time) f.step = static_cast<std::int64_t>(n.value);
    if (!drawn && n.name == "epoch" && n.value <= 1e9) f.epoch = n.value;
  }
}

/// All of it put together: what the steps of one epoch mean for the run.
LogProgress conclude(const Findings& f) {
  LogProgress p;
  p.epochs_done = f.epochs_done ? f.epochs_done : f.epoch;
  p.epochs_total = f.epochs_total;
  if (const auto& bar = f.bar) {
    const bool of_epoch = !bar->whole_run && (bar->of_epoch || f.epochs_total);
    if (!of_epoch) {
      p.steps_done = bar->done;
      p.steps_total = bar->total;
    } else if (f.epochs_total && *f.epochs_total * static_cast<double>(bar->total) < 1e15) {
      const auto before = static_cast<std::int64_t>(*f.epochs_done);
      const auto all = static_cast<std::int64_t>(*f.epochs_total);
      p.steps_total = all * bar->total;
      p.steps_done = std::min(before * bar->total + bar->done, *p.steps_total);
      p.epochs_done = static_cast<double>(*p.steps_done) / static_cast<double>(bar->total);
    }
  } else if (f.step) {
    p.steps_done = f.step;
  }
  const auto steps = f.summary ? f.summary : f.bar && f.bar->rate ? f.bar->rate : f.rates[0];
  constexpr std::array kUnits{"steps/s", "samples/s", "tokens/s"};
  for (std::size_t kind = 0; kind < kUnits.size() && !p.rate; ++kind)
    if (const auto rate = kind == 0 ? steps : f.rates[kind]) p.rate = rate, p.rate_unit = kUnits[kind];
  return p;
}

}  // namespace

LogProgress read_progress(std::string_view end) {
  if (end.size() > kMostBytes) end.remove_prefix(end.size() - kMostBytes);
  Findings found;
  for (std::size_t at = 0; at < end.size();) {
    const auto stop = std::min(end.find_first_of("\r\n", at), end.size());
    const auto raw = end.substr(at, std::min(stop - at, 4 * kLongestLine));
    if (!raw.empty()) read_line(found, clean_line(raw, kLongestLine));
    at = stop + 1;
  }
  return conclude(found);
}

bool shows_out_of_memory(std::string_view end) {
  if (end.size() > kMostBytes) end.remove_prefix(end.size() - kMostBytes);
  for (const std::string_view words :
       {"CUDA out of memory", "CUDA error: out of memory", "OutOfMemoryError: CUDA",
        "cudaErrorMemoryAllocation", "CUDA_ERROR_OUT_OF_MEMORY", "RESOURCE_EXHAUSTED: Out of memory"})
    if (end.find(words) != std::string_view::npos) return true;
  return false;
}

std::optional<Hours> time_left(const LogProgress& p, std::optional<Hours> ran) {
  std::optional<double> hours_left;
  if (p.steps_total && p.steps_done) {
    const auto left = static_cast<double>(*p.steps_total - *p.steps_done);
    if (p.rate && p.rate_unit == "steps/s")
      hours_left = left / *p.rate / 3600;
    else if (ran && *p.steps_done > 0)
      hours_left = ran->count() * left / static_cast<double>(*p.steps_done);
  } else if (p.epochs_total && p.epochs_done && *p.epochs_done > 0 && ran) {
    hours_left = ran->count() * (*p.epochs_total - *p.epochs_done) / *p.epochs_done;
  }
  constexpr double kAbsurd = 24.0 * 366 * 10;
  if (!hours_left || !std::isfinite(*hours_left) || *hours_left < 0 || *hours_left > kAbsurd)
    return std::nullopt;
  return Hours(*hours_left);
}

}  // namespace vastgpu
