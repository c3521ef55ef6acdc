#include "analysis/amounts.h"

#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <initializer_list>
#include <optional>

#include "core/text.h"

namespace vastgpu {
namespace {

constexpr double kAbsurd = 1e7;           // no plan asks for a thousand GPU-years
constexpr std::size_t kMaxAmounts = 200;  // of one text

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || c == '_'; }
bool is_word(char c) { return is_digit(c) || is_letter(c); }

struct Unread {
  std::string_view text;
  std::size_t at;

  char peek(std::size_t ahead = 0) const { return at + ahead < text.size() ? text[at + ahead] : '\0'; }
  void skip(std::string_view any) {
    while (at < text.size() && any.find(text[at]) != std::string_view::npos) ++at;
  }
  /// Takes `word` when it stands here; one that ends in a letter must not go on as a longer word.
  bool take(std::string_view word) {
    if (!text.substr(at).starts_with(word)) return false;
    if (is_letter(word.back()) && is_word(peek(word.size()))) return false;
    at += word.size();
    return true;
  }
  bool take_any(std::initializer_list<std::string_view> words) {
    for (const std::string_view word : words)
      if (take(word)) return true;
    return false;
  }
};

/// Digits, thousands commas, fraction, exponent. Not finite counts as absurd, never as zero.
double take_number(Unread& in) {
  std::string digits;
  while (is_digit(in.peek()) || (in.peek() == ',' && is_digit(in.peek(1)) && is_digit(in.peek(2)) &&
                                 is_digit(in.peek(3)) && !is_digit(in.peek(4)) && !digits.empty())) {
    if (in.peek() != ',') digits += in.peek();
    ++in.at;
  }
  if (in.peek() == '.' && is_digit(in.peek(1))) {
    digits += '.';
    for (++in.at; is_digit(in.peek()); ++in.at) digits += in.peek();
  }
  const std::size_t sign = in.peek(1) == '+' || in.peek(1) == '-' ? 1 : 0;
  if (in.peek() == 'e' && is_digit(in.peek(1 + sign))) {
    digits += 'e';
    if (in.peek(1) == '-') digits += '-';
    for (in.at += 1 + sign; is_digit(in.peek()); ++in.at) digits += in.peek();
  }
  double value = 0;
  const auto [end, bad] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (bad != std::errc{}) return INFINITY;
  if (in.peek() == 'k' && !is_word(in.peek(1))) {  // "1.2k GPU-hours"
    ++in.at;
    return value * 1e3;
  }
  if (in.take("万")) return value * 1e4;
  return value;
}

/// Hours in one of the time unit that stands here.
std::optional<double> take_time(Unread& in, bool after_device) {
  const Unread before = in;
  in.take("个");
  in.take("個");
  // "1h30m", but not "8 H100": nothing may stand between number and h, and minutes have at most two digits.
  if (in.peek() == 'h' && before.at > 0 && is_digit(in.text[before.at - 1]) && is_digit(in.peek(1)) &&
      !is_digit(in.peek(3))) {
    ++in.at;
    return 1;
  }
  if (in.peek() == 'h' && is_digit(in.peek(1))) {  // "2 H100s"
    in = before;
    return std::nullopt;
  }
  if (in.take_any({"hours", "hour", "hrs", "hr", "h", "小时", "小時", "钟头"})) return 1;
  if (in.take_any({"minutes", "minute", "mins", "min", "分钟", "分鐘"})) return 1.0 / 60;
  if (in.take_any({"seconds", "second", "secs", "sec", "秒"})) return 1.0 / 3600;
  if (in.take_any({"days", "day", "天"})) return 24;
  if (in.take_any({"weeks", "week", "星期", "周"})) return 24 * 7;
  if (after_device && in.take_any({"d", "日"})) return 24;
  if (after_device && in.take_any({"时", "時"})) return 1;
  if (after_device && in.take_any({"wks", "wk"})) return 24 * 7;
  in = before;
  return std::nullopt;
}

enum class Device { none, any, named };

/// "gpu", "卡", "a100-40g", "rtx 3090", "h100 gpu": what stands in front of "-hours" or behind a count.
Device take_device(Unread& in) {
  if (in.take_any({"gpus", "gpu", "卡"})) return Device::any;
  for (const std::string_view glued : {"gpuh", "gpud"})  // "gpuh", "gpuhrs", "gpudays"
    if (in.text.substr(in.at).starts_with(glued)) {
      in.at += 3;
      return Device::any;
    }
  for (const std::string_view name :
       {"rtx",  "a100",  "a800",   "h100",   "h800", "h200", "h20",  "v100", "t4",
        "l40s", "l40",   "l4",     "a6000",  "a40",  "a10g", "a10",  "a30",  "b200",
        "b300", "gh200", "mi300x", "2080ti", "3080", "3090", "4080", "4090", "5090"}) {
    const Unread before = in;
    if (!in.text.substr(in.at).starts_with(name)) continue;
    in.at += name.size();
    if (name == "rtx") {
      in.skip(" -a");
      while (is_digit(in.peek())) ++in.at;
    }
    for (const std::string_view variant : {"-sxm4", "-sxm5", "-sxm", "-pcie", " sxm", " pcie", "-nvl"})
      if (in.take(variant)) break;
    const Unread behind_name = in;
    in.skip(" -(");
    const std::size_t digits = in.at;
    while (is_digit(in.peek())) ++in.at;
    if (in.at > digits && in.take_any({"gb", "g"}))  // -40g, 80gb
      in.skip(")");
    else
      in = behind_name;
    if (!is_word(in.peek())) {
      const Unread behind = in;
      in.skip(" -");
      if (!in.take_any({"gpus", "gpu"})) in = behind;
      return Device::named;
    }
    in = before;
  }
  return Device::none;
}

bool take_other_worker(Unread& in) {
  for (const std::string_view who : {"cpu", "core", "person", "people", "human", "robot", "man", "annotator",
                                     "rater", "engineer", "tpu", "npu", "node", "人"}) {
    if (!in.text.substr(in.at).starts_with(who)) continue;
    in.at += who.size();
    return true;
  }
  return false;
}

struct Measure {
  Unit unit = Unit::none;
  double factor = 1;
};

Measure take_unit(Unread& in) {
  const Unread before = in;
  in.skip(" -");
  if (const auto hours = take_time(in, false)) return {Unit::hours, *hours};
  const Unread at_word = in;
  if (take_other_worker(in)) {
    in.skip(" -_");
    if (const auto hours = take_time(in, true)) return {Unit::other_hours, *hours};
    in = at_word;
  }
  if (in.take_any({"机时", "機時"})) return {Unit::gpu_hours, 1};
  for (const std::string_view counter : {"张", "块", "个", "個"})
    if (in.take(counter)) break;
  in.skip(" ");
  if (const Device device = take_device(in); device != Device::none) {
    const Unread behind = in;
    in.skip(" -_.*");
    if (const auto hours = take_time(in, true)) return {Unit::gpu_hours, *hours};
    in = device == Device::any ? behind : before;  // "4 A100s" is read by find_gpu_mentions
    return {device == Device::any ? Unit::gpus : Unit::none, 1};
  }
  in = at_word;
  if (in.take_any({"张", "块", "cards", "card"})) return {Unit::gpus, 1};
  if (in.take_any({"gib", "gb", "g"})) return {Unit::gib, 1};
  if (in.take_any({"tib", "tb"})) return {Unit::gib, 1000};
  if (in.take_any({"mib", "mb"})) return {Unit::gib, 1.0 / 1024};
  if (in.take_any({"dollars", "usd"})) return {Unit::dollars, 1};
  in = before;
  return {};
}

/// Whether the digit at `at` opens a number, or belongs to a name, a version or a longer number.
bool opens_number(std::string_view text, std::size_t at) {
  if (at == 0) return true;
  const char before = text[at - 1];
  const char earlier = at > 1 ? text[at - 2] : ' ';
  if (before == 'x') return !is_letter(earlier);  // "4x2h", "x 4", but not "max2"
  if (is_word(before)) return false;
  if (before == '-' || before == '/' || before == '.') return !is_word(earlier);
  return true;
}

}  // namespace

std::string plain(std::string_view text) {
  struct Swap {
    std::string_view from, to;
  };
  constexpr auto kSwaps = std::to_array<Swap>({
      {"×", "x"},        {"✕", "x"},
      {"–", "-"},        {"—", " - "},
      {"−", "-"},        {"‑", "-"},
      {"‐", "-"},        {"‒", "-"},
      {"～", "~"},       {"≈", "~"},
      {"〜", "~"},       {"∼", "~"},
      {"约", "~"},       {"：", ":"},
      {"，", ", "},      {"。", ". "},
      {"；", "; "},      {"、", ", "},
      {"（", "("},       {"）", ")"},
      {"·", "-"},        {"•", "-"},
      {"≤", "<"},        {"≥", ">"},
      {"≲", "<"},        {"⩽", "<"},
      {"＝", "="},       {"／", "/"},
      {"＞", ">"},       {"＜", "<"},
      {"＋", "+"},       {"　", " "},
      {"\xC2\xA0", " "}, {"\xE2\x80\xAF", " "},
      {"至", "-"},       {"→", ">>"},
      {"⇒", ">>"},       {"至少", "at least "},
  });
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (static_cast<unsigned char>(c) < 0x80) {
      out += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c == '\t' ? ' ' : c;
      ++i;
      continue;
    }
    const Swap* swap = nullptr;
    for (const Swap& s : kSwaps)
      if (text.substr(i).starts_with(s.from)) swap = &s;
    if (swap != nullptr) {
      out += swap->to;
      i += swap->from.size();
    } else {
      out += c;
      ++i;
    }
  }
  return out;
}

std::vector<Amount> find_amounts(std::string_view text) {
  std::vector<Amount> found;
  for (std::size_t i = 0; i < text.size() && found.size() < kMaxAmounts; ++i) {
    if (!is_digit(text[i])) continue;
    if (!opens_number(text, i)) {
      while (i + 1 < text.size() && (is_digit(text[i + 1]) || text[i + 1] == '.')) ++i;
      continue;
    }
    Amount a{.at = i};
    std::size_t back = i;
    bool negative = back > 0 && text[back - 1] == '-';
    if (negative) --back;
    const bool money = back > 0 && text[back - 1] == '$';
    while (back > 0 && (text[back - 1] == ' ' || text[back - 1] == '~' || text[back - 1] == '=')) --back;
    a.upper = back > 0 && text[back - 1] == '<';
    a.limit = back > 0 && text[back - 1] == '>' && !(back > 1 && text[back - 2] == '>');

    Unread in{text, i};
    double low = take_number(in);
    Measure first = take_unit(in);
    if (first.unit == Unit::hours && first.factor == 1 && is_digit(in.peek())) {  // "1h30m"
      Unread rest = in;
      const double minutes = take_number(rest);
      if (rest.take_any({"min", "m"})) {
        low += minutes / 60;
        in = rest;
      }
    }
    double high = low;
    Measure measure = first;
    Unread range = in;
    range.skip(" ");
    const bool between = text.substr(0, back).ends_with("between");
    if (range.take("-") || range.take("~") || range.take("to ") || range.take("到") ||
        (between && range.take("and "))) {
      range.skip(" ~");
      if (is_digit(range.peek())) {
        const double upper = take_number(range);
        const Measure second = take_unit(range);
        if (first.unit == Unit::none || first.unit == second.unit) {
          measure = second;
          if (first.unit == Unit::none) first.factor = second.factor;
          high = upper;
          in = range;
        }
      }
    }
    low *= first.factor;
    high *= measure.factor;
    a.low = std::min(low, high);
    a.high = std::max(low, high);
    a.unit = money ? Unit::dollars : measure.unit;
    a.end = in.at;
    a.absurd = negative || !std::isfinite(a.high) || !std::isfinite(a.low) || a.high > kAbsurd;
    if (a.absurd) a.low = a.high = 0;
    found.push_back(a);
    i = in.at > i ? in.at - 1 : i;
  }
  return found;
}

bool has_word(std::string_view text, std::initializer_list<std::string_view> words) {
  for (const std::string_view word : words) {
    for (std::size_t at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1)) {
      const bool ascii = static_cast<unsigned char>(word[0]) < 0x80;
      const std::size_t end = at + word.size();
      if (!ascii) return true;
      const bool opens = at == 0 || !is_word(text[at - 1]) || !is_word(word.front());
      const bool closes = end >= text.size() || !is_word(text[end]) || !is_word(word.back());
      if (opens && closes) return true;
    }
  }
  return false;
}

}  // namespace vastgpu
