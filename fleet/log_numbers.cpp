#include "fleet/log_numbers.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "core/text.h"

namespace vastgpu {
namespace {

constexpr std::size_t kMostNumbers = 200;  // of one line; a line of a log says three things, not more
constexpr std::size_t kLongestName = 48;

bool digit(char c) { return c >= '0' && c <= '9'; }
bool letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool name_part(char c) { return letter(c) || digit(c) || c == '_' || c == '/'; }

/// The word before `at`, over the signs that stand between a name and its value.
std::string name_before(std::string_view line, std::size_t at) {
  constexpr std::string_view kBetween = " :='\"([{#|";
  std::size_t to = at;
  while (to > 0 && at - to < 24 && kBetween.find(line[to - 1]) != std::string_view::npos) --to;
  std::size_t from = to;
  while (from > 0 && to - from < kLongestName && name_part(line[from - 1])) --from;
  // "450/1000": the total is not the name of what follows.
  const auto word = line.substr(from, to - from);
  if (std::ranges::none_of(word, letter)) return {};
  return to_lower(word);
}

/// The word behind `at`: "it/s" of "3.1it/s" or "3.1 it/s"; "tokens/second" of "tokens per second".
std::string unit_behind(std::string_view line, std::size_t at) {
  const auto word_at = [&](std::size_t from) {
    std::size_t to = from;
    while (to < line.size() && to - from < 16 && letter(line[to])) ++to;
    return line.substr(from, to - from);
  };
  if (at < line.size() && line[at] == ' ') ++at;
  std::string scale;
  if (at + 1 < line.size() && (line[at] == 'k' || line[at] == 'K' || line[at] == 'M') &&
      line[at + 1] == ' ') {
    scale = line[at] == 'M' ? "M " : "k ";
    at += 2;
  }
  const auto first = word_at(at);
  if (first.empty()) return {};
  std::size_t next = at + first.size();
  std::string unit = scale + to_lower(first);
  if (next < line.size() && line[next] == '/')
    ++next;
  else if (line.substr(next).starts_with(" per "))
    next += 5;
  else
    return unit;
  const auto second = word_at(next);
  return second.empty() ? unit : unit + "/" + to_lower(second);
}

bool is_one_of(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::ranges::find(words, word) != words.end();
}

std::optional<RateKind> kind_of(std::string_view things) {
  if (is_one_of(things, {"it", "its", "iter", "iters", "iteration", "iterations", "step", "steps", "batch",
                         "batches", "update", "updates"}))
    return RateKind::steps;
  if (is_one_of(things, {"sample", "samples", "example", "examples", "img", "imgs", "image", "images", "seq",
                         "seqs", "sequence", "sequences"}))
    return RateKind::samples;
  if (is_one_of(things, {"tok", "toks", "token", "tokens"})) return RateKind::tokens;
  return std::nullopt;
}

bool second_word(std::string_view word) { return is_one_of(word, {"s", "sec", "secs", "second", "seconds"}); }

/// Seconds in one of `word`.
std::optional<double> seconds_in(std::string_view word) {
  if (second_word(word)) return 1.0;
  if (is_one_of(word, {"ms", "msec", "millisecond", "milliseconds"})) return 1e-3;
  if (is_one_of(word, {"us", "usec"})) return 1e-6;
  return std::nullopt;
}

std::optional<LogRate> sound(RateKind kind, double per_second) {
  if (!std::isfinite(per_second) || per_second < 1e-7 || per_second > 1e10) return std::nullopt;
  return LogRate{kind, per_second};
}

std::optional<LogRate> rate_by_unit(const LogNumber& n) {
  std::string_view unit = n.unit;
  double value = n.value;
  if (unit.starts_with("k ") || unit.starts_with("M ")) {
    value *= unit.front() == 'k' ? 1e3 : 1e6;
    unit.remove_prefix(2);
  }
  const auto slash = unit.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto first = unit.substr(0, slash), second = unit.substr(slash + 1);
  if (const auto kind = kind_of(first); kind && second_word(second)) return sound(*kind, value);
  const auto seconds = seconds_in(first);
  if (seconds && kind_of(second) == RateKind::steps && value > 0)
    return sound(RateKind::steps, 1 / (value * *seconds));
  return std::nullopt;
}

/// "train_steps_per_second", "perf/tokens_per_sec", "tok/sec", "steps/s".
std::optional<LogRate> rate_by_name(const LogNumber& n) {
  const std::string_view name = n.name;
  for (const std::string_view end : {"_per_second", "_per_sec", "/second", "/sec", "/s"}) {
    if (!name.ends_with(end)) continue;
    const auto rest = name.substr(0, name.size() - end.size());
    const auto from = rest.find_last_of("_/");
    const auto kind = kind_of(from == std::string_view::npos ? rest : rest.substr(from + 1));
    return kind ? sound(*kind, n.value) : std::nullopt;
  }
  if (name == "ups") return sound(RateKind::steps, n.value);  // updates per second
  // The time of one step. A bare "time" counts in milliseconds only: in seconds it is as often the time so
  // far.
  const bool one_step =
      is_one_of(name, {"step_avg", "step_time", "iter_time", "time_per_step", "time_per_iter", "sec_per_step",
                       "seconds_per_step", "s/it", "s/step"});
  const auto seconds = seconds_in(n.unit);
  const bool bare = is_one_of(name, {"time", "dt"}) && seconds && *seconds < 1;
  if ((one_step && (seconds || n.unit.empty())) || bare)
    if (n.value > 0) return sound(RateKind::steps, 1 / (n.value * seconds.value_or(1)));
  return std::nullopt;
}

}  // namespace

std::vector<LogNumber> numbers_of(std::string_view line) {
  std::vector<LogNumber> found;
  for (std::size_t at = 0; at < line.size() && found.size() < kMostNumbers;) {
    if (!digit(line[at])) {
      ++at;
      continue;
    }
    LogNumber n;
    n.from = at;
    const auto [end, bad] = std::from_chars(line.data() + at, line.data() + line.size(), n.value);
    n.to = static_cast<std::size_t>(end - line.data());
    while (n.to < line.size() && digit(line[n.to])) ++n.to;
    at = n.to;
    const char before = n.from > 0 ? line[n.from - 1] : ' ';
    const char behind = n.to < line.size() ? line[n.to] : ' ';
    const bool clock = (before == ':' && n.from > 1 && digit(line[n.from - 2])) ||
                       (behind == ':' && n.to + 1 < line.size() && digit(line[n.to + 1]));
    if (bad != std::errc{} || !std::isfinite(n.value) || clock || letter(before) || before == '_' ||
        before == '.' || before == '-' || before == ',' || before == '\\')
      continue;
    n.whole = line.substr(n.from, n.to - n.from).find_first_not_of("0123456789") == std::string_view::npos;
    n.name = name_before(line, n.from);
    n.unit = unit_behind(line, n.to);
    found.push_back(std::move(n));
  }
  return found;
}

std::vector<LogCount> counts_of(std::string_view line, const std::vector<LogNumber>& numbers) {
  std::vector<LogCount> found;
  for (std::size_t i = 0; i + 1 < numbers.size(); ++i) {
    const LogNumber &a = numbers[i], &b = numbers[i + 1];
    const auto between = trim(line.substr(a.to, b.from - a.to));
    if (!a.whole || !b.whole || a.value > b.value || b.value < 1 || b.value > 1e12) continue;
    if (between != "/" && between != "of") continue;
    // "12/24 GB" is memory, "2026/10/02" a date, "out/100/200" a path.
    if (is_one_of(b.unit, {"g", "gb", "gib", "m", "mb", "mib", "k", "kb", "kib"})) continue;
    if (a.from > 0 && line[a.from - 1] == '/') continue;
    if (b.to < line.size() && line[b.to] == '/') continue;
    found.push_back(
        {static_cast<std::int64_t>(a.value), static_cast<std::int64_t>(b.value), a.from, b.to, a.name});
  }
  return found;
}

std::optional<LogRate> rate_of(const LogNumber& n) {
  for (const std::string_view other : {"eval", "val_", "test", "predict"})
    if (n.name.find(other) != std::string::npos) return std::nullopt;
  if (auto rate = rate_by_unit(n)) return rate;
  return rate_by_name(n);
}

}  // namespace vastgpu
