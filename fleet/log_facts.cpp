#include "fleet/log_facts.h"

#include <algorithm>
#include <array>
#include <map>
#include <vector>

#include "core/text.h"
#include "fleet/log_losses.h"

namespace vastgpu {
namespace {

constexpr std::size_t kMostBytes = 64 << 10, kLongestLine = 1000, kMostBlock = 3000;
constexpr std::size_t kMostBlockLines = 30, kMostNames = 50;

bool digit(char c) { return c >= '0' && c <= '9'; }
bool letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool has(std::string_view s, std::string_view what) { return s.find(what) != std::string_view::npos; }

/// Lines in their last state, cut to a bounded length, without the "[rank3]: " that launchers put before
/// them.
std::vector<std::string_view> lines_of(std::string_view log) {
  if (log.size() > kMostBytes) log.remove_prefix(log.size() - kMostBytes);
  std::vector<std::string_view> lines;
  for (std::size_t at = 0; at < log.size();) {
    const auto end = std::min(log.find('\n', at), log.size());
    std::string_view line = log.substr(at, end - at);
    while (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (const auto cut = line.rfind('\r'); cut != std::string_view::npos) line.remove_prefix(cut + 1);
    line = line.substr(0, kLongestLine);
    if (line.starts_with("[rank"))
      if (const auto close = line.find("]: "); close < 12) line.remove_prefix(close + 3);
    lines.push_back(line);
    at = end + 1;
  }
  return lines;
}

bool begins_traceback(std::string_view line) { return has(line, "Traceback (most recent call last)"); }

/// "torch.cuda.OutOfMemoryError: CUDA out of memory.", "KeyError: 'x'", "AssertionError"
bool names_exception(std::string_view line) {
  std::size_t end = 0;
  while (end < line.size() && (letter(line[end]) || digit(line[end]) || line[end] == '.')) ++end;
  const auto name = line.substr(0, end);
  if (name.empty() || !letter(name.front()) || (end < line.size() && line[end] != ':')) return false;
  const auto last = name.substr(name.rfind('.') == std::string_view::npos ? 0 : name.rfind('.') + 1);
  return last.ends_with("Error") || last.ends_with("Exception") || last.ends_with("Exit") ||
         last.ends_with("Interrupt") || last.ends_with("Failure") || last.ends_with("Warning") ||
         (has(name, ".") && end < line.size());
}

/// A launcher that tells of its child's end tells nothing new.
bool is_launchers(std::string_view line) {
  for (const std::string_view word : {"CalledProcessError", "ChildFailedError", "ProcessExitedException",
                                      "ProcessRaisedException", "SystemExit"})
    if (has(line.substr(0, line.find(':')), word)) return true;
  return false;
}

struct Block {
  std::size_t from = 0, to = 0;  ///< lines, `to` included
};

/// From the head of a traceback to the line that names the exception.
Block traceback_at(const std::vector<std::string_view>& lines, std::size_t from) {
  std::size_t to = from;
  for (std::size_t i = from + 1; i < lines.size() && i - from < 400; ++i) {
    if (begins_traceback(lines[i])) break;
    to = i;
    if (names_exception(lines[i])) {  // what it says may go on below, indented
      while (to + 1 < lines.size() && to - i < 5 && lines[to + 1].starts_with(" ")) ++to;
      break;
    }
  }
  return {from, to};
}

std::string shown(const std::vector<std::string_view>& lines, Block b) {
  std::vector<std::string> out;
  const std::size_t n = b.to - b.from + 1;
  for (std::size_t i = b.from; i <= b.to; ++i) {
    if (n > kMostBlockLines && i - b.from == 4) {
      out.emplace_back("  ...");
      i = b.to + 1 - (kMostBlockLines - 5);
    }
    out.push_back(clean_line(lines[i], 400));
  }
  return clean(join(out, "\n"), kMostBlock);
}

/// Errors that come without a traceback.
bool is_error_line(std::string_view line) {
  for (const std::string_view word :
       {"CUDA error:", "NCCL error", "ncclInternalError", "ncclSystemError", "ncclUnhandledCudaError",
        "terminate called after throwing", "Segmentation fault", "Bus error", "core dumped",
        "No space left on device", "Disk quota exceeded", "No such file or directory", "command not found",
        "Permission denied", "syntax error near", "SyntaxError:", "ModuleNotFoundError:", "Killed"})
    if (has(line, word)) return true;
  return names_exception(line) && has(line, "Error");
}

}  // namespace

std::string error_block(std::string_view log) {
  const auto lines = lines_of(log);
  std::optional<Block> last, root;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (!begins_traceback(lines[i])) continue;
    const Block b = traceback_at(lines, i);
    last = b;
    if (!is_launchers(lines[b.to])) root = b;
    i = std::max(i, b.to);
  }
  if (root) return shown(lines, *root);
  if (last) return shown(lines, *last);
  for (std::size_t i = lines.size(); i > 0; --i)
    if (is_error_line(lines[i - 1]))
      return shown(lines, {i - 1 > 3 ? i - 4 : 0, std::min(i + 2, lines.size() - 1)});
  return {};
}

std::string out_of_memory_line(std::string_view log) {
  const auto lines = lines_of(log);
  for (std::size_t i = lines.size(); i > 0; --i) {
    const std::string_view line = lines[i - 1];
    if ((has(line, "CUDA out of memory") && has(line, "ried to allocate")) ||
        has(line, "OutOfMemoryError: ") || has(line, "CUDA error: out of memory") ||
        has(line, "CUDA_ERROR_OUT_OF_MEMORY") || has(line, "cudaErrorMemoryAllocation") ||
        has(line, "RESOURCE_EXHAUSTED: Out of memory"))
      return clean_line(line, 400);
  }
  return {};
}

std::optional<BadLoss> bad_loss(std::string_view log) {
  std::map<std::string, BadLoss> all;
  const auto lines = lines_of(log);
  for (const std::string_view line : lines) {
    for (const LossReading& read : losses_of(line)) {
      const std::string key = clean_line(line.substr(read.from, read.to - read.from), 60);
      if (!all.contains(key) && all.size() >= kMostNames) continue;
      BadLoss& loss = all[key];
      if (read.value) {
        loss.in_a_row = 0;
      } else {
        ++loss.in_a_row;
        loss.name = key, loss.line = clean_line(line, 300), loss.infinite = read.infinite;
      }
    }
  }
  std::optional<BadLoss> worst;
  for (const auto& [name, loss] : all)
    if (loss.in_a_row > 0 && (!worst || loss.in_a_row > worst->in_a_row)) worst = loss;
  return worst;
}

std::string open_question(std::string_view log) {
  if (log.empty() || log.back() == '\n' || log.back() == '\r') return {};
  const auto lines = lines_of(log);
  if (lines.empty()) return {};
  const std::string line = clean_line(trim(lines.back()), 300);
  const std::string low = to_lower(line);
  constexpr std::array<std::string_view, 16> kEnds{
      "[y/n]", "[y/n]:", "[y/n]?",  "(y/n)",     "(y/n)?",      "(y/n):",   "(yes/no)",           "(yes/no)?",
      "(pdb)", "ipdb>",  "(pdb++)", "password:", "passphrase:", "api key:", "enter your choice:", ">>>"};
  const bool ends = std::ranges::any_of(kEnds, [&](std::string_view e) { return low.ends_with(e); });
  const bool asks = has(low, "(yes/no/[fingerprint])") || low.starts_with("username for 'http") ||
                    low.starts_with("password for 'http") || low.starts_with("enter passphrase") ||
                    (low.starts_with("enter ") && low.ends_with(":")) ||
                    low.starts_with("press enter to continue") || low.starts_with("press any key") ||
                    (low.starts_with("do you ") && low.ends_with("?")) ||
                    (low.starts_with("proceed ") && low.ends_with("?"));
  return ends || asks ? line : std::string();
}

std::string exit_words(int code) {
  switch (code) {
    case 126:
      return "the command cannot be executed";
    case 127:
      return "command not found";
    case 130:
      return "interrupted from the keyboard";
    case 134:
      return "aborted (signal 6)";
    case 135:
      return "bus error (signal 7): often too little /dev/shm for data loaders";
    case 137:
      return "killed (signal 9)";
    case 139:
      return "segmentation fault (signal 11)";
    case 143:
      return "asked to stop (signal 15)";
    default:
      return code > 128 && code < 160 ? text("ended by signal ", code - 128) : std::string();
  }
}

}  // namespace vastgpu
