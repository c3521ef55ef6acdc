#include "analysis/plan_steps.h"

#include <algorithm>

#include "analysis/amounts.h"
#include "analysis/plan_words.h"
#include "core/text.h"

namespace vastgpu {
namespace {

using namespace plan_words;

bool is_letter(char c) { return c >= 'a' && c <= 'z'; }

enum class Work { none, steps, epochs, samples, tokens };

/// "optimizer steps", "iters", "步": the kind of work that `rest` names within its first words.
Work work_of(std::string_view rest) {
  rest = rest.substr(0, std::min(rest.find_first_of(",;()|"), rest.size()));
  rest = rest.substr(0, 30);
  if (rest.find('/') < 3) return Work::none;
  for (int words = 0; words < 3; ++words) {
    rest = rest.substr(std::min(rest.find_first_not_of(' '), rest.size()));
    const std::string_view word = rest.substr(0, rest.find_first_of(" /.:-"));
    for (const std::string_view w :
         {"steps", "step", "iterations", "iteration", "iters", "iter", "it", "updates", "its"})
      if (word == w) return Work::steps;
    if (word.starts_with("步") || word.starts_with("次迭代")) return Work::steps;
    if (word == "epochs" || word == "epoch" || word.starts_with("轮")) return Work::epochs;
    if (word == "samples" || word == "images" || word == "imgs" || word == "img" || word == "examples" ||
        word == "clips" || word == "frames" || word == "env-steps" || word == "sequences")
      return Work::samples;
    if (word == "tokens" || word == "token" || word == "tok") return Work::tokens;
    const std::size_t next = rest.find(' ');
    if (next == std::string_view::npos) break;
    rest = rest.substr(next);
  }
  return Work::none;
}

struct Rate {
  Work of = Work::none;
  double seconds_each = 0;
};

/// "3.1 optimizer steps/s", "0.8 s/it", "12 min per epoch", "45k tokens per second".
std::optional<Rate> rate_at(std::string_view t, const Amount& a) {
  if (a.absurd || a.high <= 0) return std::nullopt;
  const std::string_view rest = t.substr(a.end, 48);
  const auto per = [](std::string_view s) {
    s = s.substr(std::min(s.find_first_not_of(' '), s.size()));
    return s.starts_with('/')      ? trim(s.substr(1))
           : s.starts_with("per ") ? trim(s.substr(4))
                                   : std::string_view{};
  };
  if (a.unit == Unit::hours) {  // time per work
    const std::string_view what = per(rest);
    if (what.empty()) return std::nullopt;
    const Work w = work_of(what);
    return w == Work::none ? std::nullopt : std::optional(Rate{w, a.high * 3600});
  }
  if (a.unit != Unit::none) return std::nullopt;
  // "0.8 s/it": seconds are no unit of amounts when only an s stands there.
  if (const std::string_view s = trim(rest);
      s.starts_with("s/") || s.starts_with("s per ") || s.starts_with("秒/")) {
    const Work w = work_of(s.substr(s.find_first_of("/ ") + 1).starts_with("per ")
                               ? s.substr(6)
                               : s.substr(s.find('/') == std::string_view::npos ? 6 : s.find('/') + 1));
    return w == Work::none ? std::nullopt : std::optional(Rate{w, a.high});
  }
  const std::size_t slash = std::min(rest.find('/'), rest.find(" per "));
  if (slash == std::string_view::npos || slash > 24) return std::nullopt;
  const Work w = work_of(rest.substr(0, slash));
  const std::string_view unit = per(rest.substr(slash));
  double seconds = 0;
  const auto is = [&](std::string_view u) {
    return unit.starts_with(u) && (unit.size() == u.size() || !is_letter(unit[u.size()]));
  };
  if (is("s") || is("sec") || is("second") || is("秒") || unit.starts_with("秒")) seconds = 1;
  if (is("min") || is("minute") || unit.starts_with("分")) seconds = 60;
  if (is("h") || is("hr") || is("hour") || unit.starts_with("小时")) seconds = 3600;
  if (w == Work::none || seconds <= 0) return std::nullopt;
  return Rate{w, seconds / a.high};
}

struct Section {
  std::string name;
  std::optional<Rate> rate;
  double work = 0;
  Work work_of = Work::none;
  int line = 0;
  int gpus = 0, highest_gpu = -1, runs = 0;
  bool runs_have_own_gpus = false;
  bool says_hours = false;
  int number = 0;
};

void take_line(Section& s, const MarkLine& line) {
  const std::string t = plain(without_emphasis(line.text));
  const auto amounts = find_amounts(t);
  for (const Amount& a : amounts) {
    if (const auto rate = rate_at(t, a)) {
      if (!s.rate) s.rate = rate;
      continue;
    }
    if (a.unit == Unit::gpu_hours) s.says_hours = true;
    if (a.unit != Unit::none || a.absurd || a.high <= 0) continue;
    // "7B tokens", "1.5M steps"
    const char suffix = a.end < t.size() ? t[a.end] : ' ';
    const bool scaled = (suffix == 'b' || suffix == 'm') && a.end + 1 < t.size() && t[a.end + 1] == ' ';
    const double factor = !scaled ? 1 : suffix == 'b' ? 1e9 : 1e6;
    const Work w = work_of(t.substr(a.end + (scaled ? 1 : 0)));
    const bool trains = !has_word(t.substr(0, a.at), {"every", "warmup", "checkpoint at", "accumulation",
                                                      "eval every", "warm-up", "每"});
    if (w != Work::none && trains &&
        (s.work_of == Work::none || (s.rate && s.work_of != s.rate->of) ||
         (s.work_of == w && a.high * factor > s.work))) {
      s.work = a.high * factor;
      s.work_of = w;
      s.line = line.line;
    }
  }
  for (const GpuMention& c : find_gpu_mentions(t))
    if (c.count && s.gpus == 0) {
      s.gpus = *c.count;
      s.runs_have_own_gpus = has_word(t, {"each", "per run", "per branch", "every", "每个", "每"});
    }
  for (const Amount& a : amounts)
    if (a.unit == Unit::gpus && s.gpus == 0 && !a.absurd && a.high >= 1 && a.high <= 64) {
      s.gpus = static_cast<int>(a.high);
      s.runs_have_own_gpus = has_word(t, {"each", "per run", "per branch", "every", "每个", "每"});
    }
  s.highest_gpu = std::max(s.highest_gpu, highest_gpu_index(t));
  if (const auto n = count_of_runs(t)) s.runs = std::max(s.runs, std::min(*n, 1'000));
}

}  // namespace

std::vector<ComputedHours> compute_hours(const std::vector<MarkLine>& lines, int gpus) {
  std::vector<ComputedHours> found;
  Section s;
  const auto finish = [&] {
    if (!s.rate || s.says_hours || s.work_of != s.rate->of || found.size() >= 20) return;
    const int runs = std::max(1, s.runs);
    const int cards = s.gpus > 0 ? s.gpus : std::max(1, gpus);
    const double one = s.work * s.rate->seconds_each / 3600;
    if (!(one > 0.001) || one > 1e5) return;
    ComputedHours c;
    const char* unit = s.work_of == Work::epochs    ? " epochs"
                       : s.work_of == Work::samples ? " samples"
                       : s.work_of == Work::tokens  ? " tokens"
                                                    : " steps";
    const std::string rate = s.rate->seconds_each < 1 ? " / " + fixed(1 / s.rate->seconds_each, 2) + " per s"
                                                      : " x " + fixed(s.rate->seconds_each, 2) + " s";
    const std::string how = fixed(s.work, 0) + unit + rate + " = " + fixed(one, 2) + " h";
    const double all = one * cards * runs;
    c.gpu_hours = {all, all, s.line, false,
                   how + " x " + std::to_string(cards) + " GPUs x " + std::to_string(runs) + " runs"};
    const bool side_by_side = s.runs_have_own_gpus || s.highest_gpu + 1 >= cards * runs;
    c.wall = {one * (side_by_side ? 1 : runs), one * (side_by_side ? 1 : runs), s.line, false, how};
    c.name = s.name;
    c.key = key_of(plain(s.name));
    c.section = s.number;
    found.push_back(std::move(c));
  };
  for (const MarkLine& line : lines) {
    if (line.kind == MarkKind::heading) {
      finish();
      s = {};
      s.name = line.text;
      s.number = line.section;
      if (const auto n = count_of_runs(plain(line.text))) s.runs = *n;
      continue;
    }
    take_line(s, line);
  }
  finish();
  return found;
}

}  // namespace vastgpu
