#include "fleet/log_losses.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <map>

#include "core/text.h"
#include "fleet/log_numbers.h"

namespace vastgpu {
namespace {

constexpr std::size_t kMostBytes = 64 << 10, kLongestLine = 1000, kMostNames = 20, kMostReadings = 8'000;

bool digit(char c) { return c >= '0' && c <= '9'; }
bool letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool has(std::string_view s, std::string_view what) { return s.find(what) != std::string_view::npos; }

/// A number, or a word for none.
struct Said {
  std::optional<double> value;
  bool infinite = false;
};

/// What stands at `at`, behind a separator; nothing when it is neither a number nor a word for none.
std::optional<Said> said_at(std::string_view line, std::size_t at) {
  std::string_view rest = line.substr(at, 40);
  for (const std::string_view wrap : {"tensor(", "array(", "\"", "'"})
    if (rest.starts_with(wrap)) rest.remove_prefix(wrap.size());
  bool negative = false;
  if (!rest.empty() && (rest.front() == '-' || rest.front() == '+')) {
    negative = rest.front() == '-';
    rest.remove_prefix(1);
  }
  if (!rest.empty() && (digit(rest.front()) || (rest.front() == '.' && rest.size() > 1 && digit(rest[1])))) {
    double value = 0;
    const auto [end, bad] = std::from_chars(rest.data(), rest.data() + rest.size(), value);
    if (bad == std::errc::result_out_of_range) return Said{{}, true};
    if (bad != std::errc{} || !std::isfinite(value)) return std::nullopt;
    return Said{negative ? -value : value};
  }
  std::size_t end = 0;
  while (end < rest.size() && (letter(rest[end]) || digit(rest[end]))) ++end;
  const std::string_view behind = rest.substr(end);
  const bool letters =
      !behind.empty() && static_cast<unsigned char>(behind.front()) >= 0x80 &&
      std::ranges::none_of(std::array<std::string_view, 6>{"，", "；", "）", "。", "、", "…"},
                           [&](std::string_view sign) { return behind.starts_with(sign); });
  if (letters || behind.starts_with("(")) return std::nullopt;
  const std::string word = to_lower(rest.substr(0, end));
  if (word == "nan") return Said{};
  if (word == "inf" || word == "infinity") return Said{{}, true};
  return std::nullopt;
}

/// "loss", "train_loss", "val/mlm-loss"; not "loss_scale", "lossless".
std::optional<std::pair<std::size_t, std::size_t>> next_loss(std::string_view line, std::size_t at) {
  constexpr std::string_view kChinese = "损失";
  for (; at < line.size(); ++at) {
    if (line.substr(at).starts_with(kChinese)) return std::pair(at, at + kChinese.size());
    if (to_lower(line.substr(at, 4)) != "loss") continue;
    std::size_t from = at, to = at + 4;
    const auto part = [](char c) { return letter(c) || digit(c) || c == '/' || c == '-' || c == '.'; };
    while (from > 0 && part(line[from - 1])) --from;
    while (to < line.size() && (letter(line[to]) || digit(line[to]))) ++to;
    const std::string name = to_lower(line.substr(from, to - from));
    const auto behind = to_lower(line.substr(to, 7));
    if (has(name, "scale") || behind.starts_with(" scale") || has(name, "lossless")) {
      at = to;
      continue;
    }
    return std::pair(from, to);
  }
  return std::nullopt;
}

/// Past ": ", "=", "': ", "：" or blanks. `said`: there was a sign, not blanks alone.
std::size_t past_separator(std::string_view line, std::size_t at, bool& said) {
  constexpr std::string_view kWideColon = "：";
  said = false;
  const auto limit = at + 12;
  while (at < line.size() && at < limit) {
    if (line.substr(at).starts_with(kWideColon)) {
      said = true;
      at += kWideColon.size();
    } else if (line[at] == ':' || line[at] == '=') {
      said = true;
      ++at;
    } else if (line[at] == ' ' || line[at] == '\t' || line[at] == '|' || line[at] == '\'' ||
               line[at] == '"') {
      ++at;
    } else {
      break;
    }
  }
  return at;
}

/// "epoch 3 loss nan": without a sign, the line has to count something first.
bool counts_before(std::string_view before) {
  const std::string words = to_lower(before);
  for (const std::string_view word : {"step", "epoch", "iter", "batch", "ep"})
    if (const auto at = words.find(word); at != std::string::npos)
      return std::any_of(words.begin() + static_cast<std::ptrdiff_t>(at), words.end(), digit);
  return false;
}

// ---- curves ----

/// "train", "val": the word before "loss" that says which one it is.
std::string whole_name(std::string_view line, const LossReading& read) {
  std::string name = clean_line(line.substr(read.from, read.to - read.from), 40);
  std::size_t end = read.from;
  while (end > 0 && line[end - 1] == ' ') --end;
  std::size_t from = end;
  while (from > 0 && letter(line[from - 1])) --from;
  const std::string before = to_lower(line.substr(from, end - from));
  for (const std::string_view word : {"train", "training", "val", "valid", "validation", "eval", "test"})
    if (end < read.from && before == word) return before + " " + name;
  return name;
}

bool counts_steps(std::string_view name) {
  for (const std::string_view word : {"step", "steps", "iter", "iters", "iteration", "iterations", "it",
                                      "batch", "global_step", "train_step", "update", "updates"})
    if (name == word) return true;
  return false;
}
bool counts_epochs(std::string_view name) { return name == "epoch" || name == "epochs" || name == "ep"; }

/// Where in the run a line stands.
struct Place {
  std::optional<double> step, epoch;
};

Place place_of(std::string_view line) {
  Place place;
  const auto numbers = numbers_of(line);
  std::optional<LogCount> steps, epochs;
  for (const LogCount& count : counts_of(line, numbers)) {
    auto& into = counts_epochs(count.name) ? epochs : steps;
    if (!into && (counts_epochs(count.name) || counts_steps(count.name) || count.name.empty())) into = count;
  }
  for (const LogNumber& n : numbers) {
    if (!place.epoch && counts_epochs(n.name)) place.epoch = n.value;
    if (!place.step && n.whole && counts_steps(n.name) && n.unit != "s" && n.unit != "ms")
      place.step = n.value;
  }
  if (epochs) place.epoch = static_cast<double>(epochs->done);
  if (steps) {
    place.step = static_cast<double>(steps->done);
    if (epochs && epochs->done > 0)  // its steps begin again with each epoch
      *place.step += static_cast<double>(epochs->done - 1) * static_cast<double>(steps->total);
  }
  return place;
}

struct Raw {
  Place place;
  std::optional<double> value;
};

/// `get` of every reading, where all have it and none goes back.
template <class Get>
bool grows(const std::vector<Raw>& all, Get get) {
  std::optional<double> last;
  for (const Raw& raw : all) {
    const std::optional<double> at = get(raw);
    if (!at || (last && *at < *last)) return false;
    last = at;
  }
  return !all.empty() && *get(all.front()) < *last;
}

LossCurve curve_of(std::string name, const std::vector<Raw>& all) {
  LossCurve curve{.name = std::move(name), .counts = "reading", .readings = all.size(), .points = {}};
  const bool by_step = grows(all, [](const Raw& r) { return r.place.step; });
  const bool by_epoch = !by_step && grows(all, [](const Raw& r) { return r.place.epoch; });
  if (by_step || by_epoch) curve.counts = by_step ? "step" : "epoch";
  const std::size_t each = (all.size() + kMostLossPoints - 1) / kMostLossPoints;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (!all[i].value) ++curve.no_numbers;
    const double at = by_step    ? *all[i].place.step
                      : by_epoch ? *all[i].place.epoch
                                 : static_cast<double>(i + 1);
    // One point for `each` readings, the last of them or one that is no number; before them the very first.
    const bool begins = i == 0 || (i - 1) % each == 0;
    if (begins)
      curve.points.push_back({at, all[i].value});
    else if (curve.points.back().value)
      curve.points.back() = {at, all[i].value};
  }
  return curve;
}

}  // namespace

std::vector<LossReading> losses_of(std::string_view line) {
  std::vector<LossReading> found;
  for (std::size_t at = 0; const auto name = next_loss(line, at); at = name->second) {
    bool said = false;
    const auto value_at = past_separator(line, name->second, said);
    const auto what = said_at(line, value_at);
    if (!what || value_at == name->second) continue;
    if (!said && !what->value && !counts_before(line.substr(0, name->first))) continue;
    found.push_back({name->first, name->second, what->value, what->infinite});
  }
  return found;
}

std::vector<LossCurve> loss_curves(std::string_view log, bool whole) {
  if (log.size() > kMostBytes) log.remove_prefix(log.size() - kMostBytes), whole = false;
  if (!whole) log.remove_prefix(std::min(log.find_first_of("\r\n"), log.size()));
  std::map<std::string, std::vector<Raw>> all;
  std::size_t readings = 0;
  for (std::size_t at = 0; at < log.size() && readings < kMostReadings;) {
    const auto end = std::min(log.find_first_of("\r\n", at), log.size());
    const std::string line = clean_line(log.substr(at, std::min(end - at, kLongestLine)), kLongestLine);
    at = end + 1;
    const auto losses = losses_of(line);
    if (losses.empty()) continue;
    const Place place = place_of(line);
    for (const LossReading& read : losses) {
      const std::string name = whole_name(line, read);
      if (!all.contains(name) && all.size() >= kMostNames) continue;
      all[name].push_back({place, read.value});
      ++readings;
    }
  }
  std::vector<LossCurve> curves;
  for (const auto& [name, raw] : all)
    if (raw.size() > 1) curves.push_back(curve_of(name, raw));
  std::ranges::stable_sort(curves, std::greater{}, &LossCurve::readings);
  if (curves.size() > kMostCurves) curves.resize(kMostCurves);
  return curves;
}

}  // namespace vastgpu
