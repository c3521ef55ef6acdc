#include "analysis/hardware.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "analysis/amounts.h"
#include "core/gpu_table.h"
#include "core/text.h"

namespace vastgpu {
namespace {

constexpr std::size_t kMaxMentions = 20;

struct Spelling {
  std::string key;  ///< lower case without spaces, `_`, `-`
  std::string_view name;
};

/// How people write it, where that differs from the marketplace. Cards that cannot be rented map to their
/// like.
constexpr auto kNicknames = std::to_array<std::pair<std::string_view, std::string_view>>({
    {"a100", "A100 SXM4"},
    {"a100sxm", "A100 SXM4"},
    {"a800", "A100 SXM4"},
    {"h100", "H100 SXM"},
    {"h100sxm5", "H100 SXM"},
    {"h800", "H100 SXM"},
    {"h20", "H100 SXM"},
    {"gh200", "GH200 SXM"},
    {"v100", "Tesla V100"},
    {"v100sxm2", "Tesla V100"},
    {"p100", "Tesla P100"},
    {"p40", "Tesla P40"},
    {"t4", "Tesla T4"},
    {"a6000", "RTX A6000"},
    {"a5000", "RTX A5000"},
    {"a4000", "RTX A4000"},
    {"6000ada", "RTX 6000Ada"},
    {"rtxpro6000", "RTX PRO 6000 WS"},
    {"pro6000", "RTX PRO 6000 WS"},
    {"rtx4070super", "RTX 4070S"},
    {"rtx4080super", "RTX 4080S"},
    {"rtx2080super", "RTX 2080S"},
    {"2080ti", "RTX 2080 Ti"},
    {"1080ti", "GTX 1080 Ti"},
    {"3080ti", "RTX 3080 Ti"},
    {"rtxtitan", "Titan RTX"},
    {"quadrortx6000", "Q RTX 6000"},
    {"quadrortx8000", "Q RTX 8000"},
    {"3060", "RTX 3060"},
    {"3070", "RTX 3070"},
    {"3080", "RTX 3080"},
    {"3090", "RTX 3090"},
    {"4070", "RTX 4070"},
    {"4080", "RTX 4080"},
    {"4090", "RTX 4090"},
    {"4090d", "RTX 4090D"},
    {"5080", "RTX 5080"},
    {"5090", "RTX 5090"},
});

/// Longest first, so that "a100sxm4" is seen before "a100".
const std::vector<Spelling>& spellings() {
  static const std::vector<Spelling> all = [] {
    std::vector<Spelling> list;
    for (const GpuModel& model : all_gpu_models()) list.push_back({gpu_key(model.name), model.name});
    for (const auto& [key, name] : kNicknames) list.push_back({std::string(key), name});
    std::ranges::stable_sort(
        list, [](const Spelling& a, const Spelling& b) { return a.key.size() > b.key.size(); });
    return list;
  }();
  return all;
}

bool is_word(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Where `key` ends when it stands at `at`, spaces and dashes in between allowed; 0 when it does not.
std::size_t match(std::string_view text, std::size_t at, std::string_view key) {
  std::size_t i = at;
  for (std::size_t k = 0; k < key.size(); ++k, ++i) {
    if (k >= 3 || (k > 0 && key[0] == 'q'))  // "RTX 3090", "Q RTX 8000", but "a 100 GB disk" is no A100
      while (i < text.size() && (text[i] == ' ' || text[i] == '-' || text[i] == '_')) ++i;
    if (i >= text.size() || text[i] != key[k]) return 0;
  }
  const bool plural = i < text.size() && text[i] == 's' && (i + 1 >= text.size() || !is_word(text[i + 1]));
  if (plural) return i + 1;
  return i >= text.size() || !is_word(text[i]) ? i : 0;
}

std::optional<int> small_count(std::string_view digits) {
  int n = 0;
  const auto [end, bad] = std::from_chars(digits.data(), digits.data() + digits.size(), n);
  if (bad != std::errc{} || end != digits.data() + digits.size() || n < 1 || n > 64) return std::nullopt;
  return n;
}

std::string_view strip_maker(std::string_view before) {
  for (bool again = true; again;) {
    again = false;
    before = before.substr(0, before.find_last_not_of(' ') + 1);
    for (const std::string_view maker :
         {"nvidia", "geforce", "tesla", "quadro", "idle", "spare", "shared", "free", "local", "rented",
          "dedicated", "reserved", "available", "remote", "physical", "空闲"})
      if (before.ends_with(maker) &&
          (before.size() == maker.size() || !is_word(before[before.size() - maker.size() - 1]))) {
        before.remove_suffix(maker.size());
        again = true;
      }
  }
  return before;
}

/// "4x ", "4 ", "two ", "4 张", with a maker's name allowed in between. `crossed`: a mark or counter says
/// that it counts.
std::optional<int> count_before(std::string_view before, bool& crossed) {
  before = strip_maker(before);
  for (const std::string_view noun : {"gpus (", "gpus: ", "gpus, ", "gpu: "})  // "8 GPUs (A100 80GB)"
    if ((std::string(before) + ' ').ends_with(noun) || (std::string(before)).ends_with(noun)) {
      before = before.substr(0, before.rfind("gpu"));
      before = before.substr(0, before.find_last_not_of(' ') + 1);
      std::size_t digits = before.size();
      while (digits > 0 && is_digit(before[digits - 1])) --digits;
      crossed = digits < before.size();
      return crossed ? small_count(before.substr(digits)) : std::nullopt;
    }
  crossed = before.ends_with('*') ||
            (before.ends_with('x') && (before.size() == 1 || !is_word(before[before.size() - 2]) ||
                                       is_digit(before[before.size() - 2])));
  if (crossed) {
    before.remove_suffix(1);
    before = before.substr(0, before.find_last_not_of(' ') + 1);
  }
  for (const std::string_view unit : {"张", "块", "卡"})
    if (before.ends_with(unit)) {
      before.remove_suffix(unit.size());
      crossed = true;
    }
  before = before.substr(0, before.find_last_not_of(' ') + 1);
  std::size_t from = before.size();
  while (from > 0 && is_digit(before[from - 1])) --from;
  if (from < before.size()) {
    if (from > 0 && (is_word(before[from - 1]) || before[from - 1] == '-' || before[from - 1] == '.'))
      return std::nullopt;
    const auto count = small_count(before.substr(from));
    const std::string_view nodes = before.substr(0, from);  // "2 nodes x 8 H100"
    if (const std::size_t at = nodes.rfind("node"); count && at != std::string_view::npos &&
                                                    nodes.size() - at <= 9 && at > 1 &&
                                                    nodes[at - 1] == ' ' && is_digit(nodes[at - 2])) {
      std::size_t digits = at - 1;
      while (digits > 0 && is_digit(nodes[digits - 1])) --digits;
      const auto n = small_count(nodes.substr(digits, at - 1 - digits));
      if (n && *n * *count <= 64) return *n * *count;
    }
    return count;
  }
  constexpr auto kWords = std::to_array<std::pair<std::string_view, int>>({{"a single", 1},
                                                                           {"single", 1},
                                                                           {"one", 1},
                                                                           {"two", 2},
                                                                           {"three", 3},
                                                                           {"four", 4},
                                                                           {"six", 6},
                                                                           {"eight", 8},
                                                                           {"单", 1},
                                                                           {"两", 2},
                                                                           {"双", 2},
                                                                           {"四", 4},
                                                                           {"八", 8}});
  for (const auto& [word, n] : kWords) {
    if (!before.ends_with(word)) continue;
    const std::size_t start = before.size() - word.size();
    if (start == 0 || !is_word(before[start - 1]) || !is_word(word[0])) return n;
  }
  return std::nullopt;
}

/// "on a ", "my ": what follows is a card even when it is only "4090".
bool names_thing(std::string_view before) {
  return std::ranges::any_of(std::to_array<std::string_view>(
                                 {"on a ", "on an ", "on my ", "on the ", "with a ", "using a ", " my "}),
                             [&](std::string_view lead) { return before.ends_with(lead); });
}

bool is_negated(std::string_view before) {
  before = strip_maker(before);
  return std::ranges::any_of(
      std::to_array<std::string_view>({" not", " no", "not on", "not on a", "not on an", "without",
                                       "without a", "without an", "instead of", "instead of a",
                                       "instead of an", "rather than", "没有", "不用", "无"}),
      [&](std::string_view lead) { return before.ends_with(lead); });
}

/// "12 A100-40G-h", "3 H100 hours": time, not cards.
bool counts_hours(std::string_view behind) {
  if (behind.empty() || (behind[0] != '-' && behind[0] != ' ')) return false;
  std::string_view rest = behind.substr(1);
  std::size_t digits = 0;
  while (digits < rest.size() && is_digit(rest[digits])) ++digits;
  if (digits > 0 && digits < 4)
    for (const std::string_view size : {"gb", "g"})
      if (rest.substr(digits).starts_with(size)) {
        rest = rest.substr(std::min(digits + size.size() + 1, rest.size()));
        break;
      }
  for (const std::string_view unit : {"hours", "hour", "hrs", "h", "days", "day", "小时", "gpu-h"})
    if (rest.starts_with(unit) &&
        (rest.size() == unit.size() || !is_word(rest[unit.size()]) || unit == "gpu-h"))
      return true;
  return false;
}

/// What the writer called it: the family of a data-centre card with its size where one was written, since
/// that is sold in several; of another card only a size that contradicts the name.
std::string written_name(std::string_view key, std::string_view name, std::optional<double> size,
                         double nominal) {
  constexpr auto kShort =
      std::to_array<std::pair<std::string_view, std::string_view>>({{"a100", "A100"},
                                                                    {"a800", "A800"},
                                                                    {"h100", "H100"},
                                                                    {"h800", "H800"},
                                                                    {"h200", "H200"},
                                                                    {"h20", "H20"},
                                                                    {"gh200", "GH200"},
                                                                    {"v100", "V100"},
                                                                    {"teslav100", "V100"},
                                                                    {"p100", "P100"},
                                                                    {"teslap100", "P100"},
                                                                    {"p40", "P40"},
                                                                    {"t4", "T4"},
                                                                    {"a10g", "A10G"},
                                                                    {"teslat4", "T4"},
                                                                    {"b200", "B200"},
                                                                    {"a6000", "RTX A6000"},
                                                                    {"pro6000", "RTX PRO 6000"},
                                                                    {"rtxpro6000", "RTX PRO 6000"},
                                                                    {"6000ada", "RTX 6000 Ada"},
                                                                    {"rtx6000ada", "RTX 6000 Ada"}});
  std::string written(name);
  bool sold_in_sizes = false;
  for (const auto& [start, shown] : kShort)
    if (key.starts_with(start) &&
        (key.size() == start.size() || (is_digit(start.back()) && !is_digit(key[start.size()])))) {
      written = shown;
      sold_in_sizes = !shown.starts_with("RTX");
    }
  const bool contradicts = size && (*size > nominal * 1.15 || *size < nominal * 0.85);
  if (size && (sold_in_sizes || contradicts)) written += " " + fixed(*size, 0) + "GB";
  return written;
}

/// " x4", " (x 4)", " * 2" behind the name and its size.
std::optional<int> count_behind(std::string_view rest) {
  rest = rest.substr(std::min(rest.find_first_not_of(" ()"), rest.size()));
  if (rest.empty() || (rest[0] != 'x' && rest[0] != '*')) return std::nullopt;
  rest.remove_prefix(1);
  rest = rest.substr(std::min(rest.find_first_not_of(' '), rest.size()));
  std::size_t n = 0;
  while (n < rest.size() && is_digit(rest[n])) ++n;
  if (n == 0 || (n < rest.size() && is_word(rest[n]))) return std::nullopt;
  return small_count(rest.substr(0, n));
}

/// " 80GB", "-80G", " (24 GB VRAM)": the size of one card, and where it ends.
std::optional<double> size_behind(std::string_view text, std::size_t& end) {
  std::size_t i = end;
  while (i < text.size() && (text[i] == ' ' || text[i] == '-' || text[i] == '(' || text[i] == '/')) ++i;
  if (i > end && text[i - 1] == '(') {  // "(modified, 49140 MiB each)"
    const std::string_view inside = text.substr(i, std::min<std::size_t>(text.find(')', i) - i, 40));
    for (const Amount& a : find_amounts(inside))
      if (a.unit == Unit::gib && !a.absurd && a.high >= 4 && a.high <= 300 &&
          !has_word(inside, {"disk", "ram", "storage", "total"})) {
        end = i + a.end;
        return a.high;
      }
  }
  std::size_t digits = i;
  while (digits < text.size() && is_digit(text[digits])) ++digits;
  if (digits == i || digits - i > 6) return std::nullopt;
  const auto amounts = find_amounts(text.substr(i, 16));
  if (amounts.empty() || amounts[0].at != 0 || amounts[0].unit != Unit::gib || amounts[0].absurd)
    return std::nullopt;
  const double gib = amounts[0].high;
  if (gib < 4 || gib > 300) return std::nullopt;
  end = i + amounts[0].end;
  return gib;
}

}  // namespace

std::vector<GpuMention> find_gpu_mentions(std::string_view text) {
  std::vector<GpuMention> found;
  for (std::size_t i = 0; i < text.size() && found.size() < kMaxMentions; ++i) {
    if (!is_word(text[i]) || text[i] == '_') continue;
    // A name opens a word, or follows the x of "4xa100".
    const bool after_count = i > 1 && text[i - 1] == 'x' && (is_digit(text[i - 2]) || text[i - 2] == ' ');
    if (i > 0 && is_word(text[i - 1]) && !after_count) continue;
    for (const Spelling& s : spellings()) {
      if (s.key[0] != text[i]) continue;
      const std::size_t end = match(text, i, s.key);
      if (end == 0) continue;
      if (is_negated(text.substr(0, i)) || counts_hours(text.substr(end))) break;
      GpuMention m{.name = std::string(s.name), .at = i, .end = end};
      bool crossed = false;
      m.count = count_before(text.substr(0, i), crossed);
      const auto size = size_behind(text, m.end);
      if (!m.count) m.count = count_behind(text.substr(m.end, 12));
      const double nominal = find_gpu(s.name)->vram_gib;
      m.vram_gib = size.value_or(nominal);
      m.size_written = size.has_value();
      m.written = written_name(s.key, s.name, size, nominal);

      const bool short_name = s.key.size() <= 3;
      const bool digits_only = s.key.find_first_not_of("0123456789") == std::string::npos;
      const bool plural = m.end > 0 && text[m.end - 1] == 's';  // "on 3090s"
      const std::string_view beside = text.substr(m.end, 8);
      const bool said = size || crossed || strip_maker(text.substr(0, i)).size() + 3 < i ||
                        names_thing(text.substr(0, i)) || (plural && text.substr(0, i).ends_with("on ")) ||
                        has_word(beside, {"gpu", "gpus", "卡", "显卡", "card", "cards"});
      if ((short_name && !said && !m.count) || (digits_only && !said)) break;
      found.push_back(m);
      i = m.end - 1;
      break;
    }
  }
  return found;
}

std::optional<int> usable_gpus(std::string_view text) {
  const auto as_count = [](const Amount& a) {
    return !a.absurd && a.high >= 1 && a.high <= 64 ? std::optional(static_cast<int>(a.high)) : std::nullopt;
  };
  for (const std::string_view mark : {"可用 ", "可用", "只用 ", "只用", "使用 ", "其中 ", "use ", "using "}) {
    const std::size_t at = text.find(mark);
    if (at == std::string_view::npos) continue;
    const std::string_view behind = text.substr(at + mark.size(), 24);
    const auto amounts = find_amounts(behind);
    if (!amounts.empty() && amounts[0].at <= 1 &&
        (amounts[0].unit == Unit::gpus || has_word(behind, {"of them", "of these", "of the"})))
      return as_count(amounts[0]);
  }
  // "2 of 8 usable", "only 2 of the 8 are free", "2 usable".
  for (const Amount& a : find_amounts(text)) {
    if (a.unit != Unit::none && a.unit != Unit::gpus) continue;
    const std::string_view behind = text.substr(a.end, 40);
    const std::string_view word = trim(behind);
    const bool of_more = word.starts_with("of ") && has_word(behind, {"usable", "available", "free", "idle",
                                                                      "for us", "ours", "for this project"});
    const bool alone = word.starts_with("usable") || word.starts_with("are usable") ||
                       word.starts_with("are available") || word.starts_with("are free") ||
                       word.starts_with("available for this");
    if (of_more || alone) return as_count(a);
  }
  return std::nullopt;
}

}  // namespace vastgpu
