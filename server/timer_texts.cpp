#include "server/timer_texts.h"

#include <algorithm>

#include "core/text.h"

namespace vastgpu {
namespace {

constexpr std::string_view kMarker = "# vast-gpu keeper";

bool is_ours(std::string_view line) { return trim(line).ends_with(kMarker); }

/// Each line with its own end.
template <class Take>
void each_line(std::string_view content, Take take) {
  while (!content.empty()) {
    const auto end = content.find('\n');
    const std::string_view line = content.substr(0, end == std::string_view::npos ? end : end + 1);
    take(line);
    content.remove_prefix(line.size());
  }
}

/// As systemd reads a word in quotes: % starts a specifier, and in a command line $ a variable.
/// @source systemd.service(5), "Command lines", and systemd.unit(5), "Specifiers"
std::string systemd_word(std::string_view word, bool in_command) {
  std::string out = "\"";
  for (const char c : word) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '%' || (c == '$' && in_command)) out += c;
    out += c;
  }
  return out + "\"";
}

/// A bare % ends the command of a crontab line. @source crontab(5)
std::string cron_word(std::string_view word) {
  std::string out;
  for (const char c : shell_quote(word)) {
    // Between single quotes a backslash would stay, so the quotes end around an escaped %.
    if (c == '%')
      out += "'\\%'";
    else
      out += c;
  }
  return out;
}

}  // namespace

Result<void> check(const TimerJob& job) {
  const auto plain = [](const std::string& s) {
    return std::ranges::none_of(s, [](char c) { return static_cast<unsigned char>(c) < 32 || c == 127; });
  };
  const auto refuse = [](const std::string& what) {
    return fail({.code = Code::invalid_argument,
                 .what = what + " holds a line break or another control character",
                 .next_step = "use a path without one"});
  };
  if (!plain(job.program)) return refuse("the path of this program");
  for (const auto& [name, value] : job.variables)
    if (!plain(value)) return refuse(name);
  return {};
}

std::string service_text(const TimerJob& job) {
  std::string out =
      "# Written by vast-gpu install keeper; vast-gpu uninstall keeper removes it.\n"
      "[Unit]\n"
      "Description=Ends what is over among the GPUs rented by vast-gpu\n"
      "\n"
      "[Service]\n"
      "Type=oneshot\n"
      "SuccessExitStatus=1 2\n"
      "UMask=0077\n";
  for (const auto& [name, value] : job.variables)
    out += "Environment=" + systemd_word(name + "=" + value, false) + "\n";
  return out + "ExecStart=" + systemd_word(job.program, true) + " -q reap\n";
}

std::string timer_text() {
  return "# Written by vast-gpu install keeper; vast-gpu uninstall keeper removes it.\n"
         "[Unit]\n"
         "Description=Looks every five minutes after the GPUs rented by vast-gpu\n"
         "\n"
         "[Timer]\n"
         "OnBootSec=1min\n"
         "OnUnitActiveSec=5min\n"
         "\n"
         "[Install]\n"
         "WantedBy=timers.target\n";
}

std::string cron_line(const TimerJob& job) {
  std::string out = "*/5 * * * *";
  for (const auto& [name, value] : job.variables) out += " " + name + "=" + cron_word(value);
  return out + " " + cron_word(job.program) + " -q reap >/dev/null 2>&1 " + std::string(kMarker) + "\n";
}

std::string with_cron_line(std::string_view crontab, const std::string& line) {
  std::string out;
  bool placed = false;
  each_line(crontab, [&](std::string_view old) {
    if (!is_ours(old)) {
      out += old;
    } else if (!placed) {
      out += line;
      placed = true;
    }
  });
  if (placed) return out;
  if (!out.empty() && !out.ends_with('\n')) out += '\n';
  return out + line;
}

std::string without_cron_line(std::string_view crontab) {
  std::string out;
  each_line(crontab, [&](std::string_view old) {
    if (!is_ours(old)) out += old;
  });
  return out;
}

bool has_cron_line(std::string_view crontab) {
  bool found = false;
  each_line(crontab, [&](std::string_view line) { found |= is_ours(line) && !trim(line).starts_with('#'); });
  return found;
}

}  // namespace vastgpu
