#include "analysis/program_measured.h"

#include <algorithm>
#include <cstdlib>

#include "core/text.h"

namespace vastgpu {
namespace {

constexpr std::size_t kMaxLogs = 6;
constexpr std::size_t kMaxLogBytes = 1'000'000;  // longer ones are training curves in text
constexpr double kLargestGib = 2'000;

bool holds(std::string_view s, std::initializer_list<std::string_view> words) {
  for (const std::string_view word : words)
    if (s.find(word) != s.npos) return true;
  return false;
}

struct Size {
  double gib = 0;
  std::size_t at = 0, end = 0;
};

/// The first "22GiB", "31.5 GB", "23412 MiB" from `from` on. GB as people read it off a card: GiB.
std::optional<Size> next_size(std::string_view s, std::size_t from) {
  for (std::size_t i = from; i < s.size(); ++i) {
    if (!std::isdigit(static_cast<unsigned char>(s[i])) ||
        (i > 0 && (std::isalnum(static_cast<unsigned char>(s[i - 1])) || s[i - 1] == '.')))
      continue;
    std::size_t end = i;
    while (end < s.size() && end - i < 15 &&
           (std::isdigit(static_cast<unsigned char>(s[end])) || s[end] == '.'))
      ++end;
    const double v = std::strtod(std::string(s.substr(i, end - i)).c_str(), nullptr);
    std::size_t unit = end;
    if (unit < s.size() && s[unit] == ' ') ++unit;
    const std::string word = to_lower(s.substr(unit, 3));
    const bool gib = word.starts_with("gib") || word.starts_with("gb");
    const bool mib = word.starts_with("mib") || word.starts_with("mb");
    const std::size_t stop = unit + (word.size() > 1 && word[1] == 'i' ? 3 : 2);
    if ((gib || mib) && (stop >= s.size() || !std::isalnum(static_cast<unsigned char>(s[stop])))) {
      const double size = gib ? v : v / 1024;
      if (size > 0.05 && size < kLargestGib) return Size{size, i, stop};
    }
    i = end;
  }
  return std::nullopt;
}

}  // namespace

std::optional<double> measured_in_comment(std::string_view comment) {
  comment = comment.substr(0, 300);
  const auto size = next_size(comment, 0);
  if (!size) return std::nullopt;
  const std::string lower = to_lower(comment);
  if (holds(lower,
            {"disk", "download", "dataset", "card", "gpu with", "fits", "fit on", "host", " ram",
             "per second", "gb/s", "out of memory", "oom", "checkpoint", "at least", "require", "cpu"}))
    return std::nullopt;
  // Nothing but the size: "# 22GiB", "# ~22 GB".
  std::size_t letters = 0;
  for (std::size_t i = 0; i < comment.size(); ++i)
    if ((i < size->at || i >= size->end) && std::isalpha(static_cast<unsigned char>(comment[i]))) ++letters;
  if (letters == 0 ||
      holds(lower, {"peak", "vram", "gpu mem", "memory", "uses", "used", "takes", "measured", "nvidia-smi"}))
    return size->gib;
  return std::nullopt;
}

std::optional<double> measured_in_log(std::string_view line) {
  line = line.substr(0, 500);
  const std::string lower = to_lower(line);
  if (holds(lower, {"out of memory", "tried to allocate", "download", "disk"})) return std::nullopt;
  const auto size = next_size(line, 0);
  if (!size) return std::nullopt;
  // nvidia-smi: used / total.
  if (const auto total = next_size(line, size->end);
      total && trim(line.substr(size->end, total->at - size->end)) == "/")
    return size->gib <= total->gib ? std::optional(size->gib) : std::nullopt;
  const bool of_gpu = holds(lower, {"max_memory", "max memory", "peak", "memory allocated", "memory reserved",
                                    "gpu_mem", "gpu mem", "cuda memory", "max mem", "vram"});
  return of_gpu && !holds(lower, {"cpu", "host", "rss"}) ? std::optional(size->gib) : std::nullopt;
}

void read_logs(ProjectFiles& files, ProgramReading& into) {
  std::vector<ProjectFiles::Found> logs = files.find({".log"});
  for (const char* folder : {"logs", "log", "results", "outputs"})
    for (auto& f : files.find_in(folder, {".log", ".out", ".txt"})) logs.push_back(std::move(f));
  std::erase_if(logs, [](const auto& f) { return f.bytes == 0 || f.bytes > kMaxLogBytes; });
  std::ranges::stable_sort(logs, [](const auto& a, const auto& b) { return a.changed > b.changed; });
  if (logs.size() > kMaxLogs) logs.resize(kMaxLogs);
  for (const auto& f : logs) {
    const auto text = files.read(f.path);
    if (!text) continue;
    const std::string name = clean_line(f.path.string());
    double most = 0;
    int line = 0, most_line = 0;
    bool ran_out = false;
    for (std::size_t from = 0; from < text->size();) {
      const std::size_t end = std::min(text->find('\n', from), text->size());
      const std::string_view l = std::string_view(*text).substr(from, end - from);
      from = end + 1;
      ++line;
      if (l.find("CUDA out of memory") != l.npos || l.find("OutOfMemoryError") != l.npos) {
        if (!ran_out)
          into.warnings.push_back(name + ":" + std::to_string(line) +
                                  " shows a run that was out of GPU memory");
        ran_out = true;
      }
      if (l.size() < 3 || (l.find("iB") == l.npos && l.find("GB") == l.npos && l.find("MB") == l.npos))
        continue;
      if (const auto gib = measured_in_log(l); gib && *gib > most) {
        most = *gib;
        most_line = line;
      }
    }
    if (most > 0) into.measured_gib.push_back({most, name + ":" + std::to_string(most_line)});
  }
}

}  // namespace vastgpu
