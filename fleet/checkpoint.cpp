#include "fleet/checkpoint.h"

#include <algorithm>
#include <array>

#include "core/text.h"
#include "fleet/guard.h"
#include "fleet/job_files.h"
#include "fleet/learn.h"

namespace vastgpu {
namespace {

// By preference: what the usual trainers call it.
constexpr std::array kOptions{"--resume_from_checkpoint",
                              "--resume-from-checkpoint",
                              "--ckpt_path",
                              "--resume_from",
                              "--resume-from",
                              "--resume",
                              "--checkpoint",
                              "--load_checkpoint",
                              "--init_from"};

bool is_path(std::string_view s) {
  return !s.empty() && s.size() < 400 && s.find("..") == std::string_view::npos &&
         std::ranges::all_of(s, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  std::string_view("/._-=+,@").find(c) != std::string_view::npos;
         });
}

/// The folder of a checkpoint that is one: "checkpoint-500/model.safetensors".
std::string whole(std::string path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return path;
  const std::string folder = path.substr(0, slash);
  const std::string last = folder.substr(folder.rfind('/') == std::string::npos ? 0 : folder.rfind('/') + 1);
  const bool numbered = !last.empty() && last.back() >= '0' && last.back() <= '9';
  return numbered && (last.starts_with("checkpoint") || last.starts_with("step") ||
                      last.starts_with("epoch") || last.starts_with("global_step"))
             ? folder
             : path;
}

/// Replaces what the command says now, or adds it.
std::string with_option(const std::string& command, const std::string& option, const std::string& path) {
  const auto at = (" " + command + " ").find(" " + option + " ");
  if (at == std::string::npos) {
    if (command.find_first_of(";|&<>") != std::string::npos ||
        command.find(option + "=") != std::string::npos)
      return {};
    return command + " " + option + " " + path;
  }
  const auto from = at + option.size() + 1;
  const auto to = std::min(command.find(' ', from), command.size());
  if (from > command.size() || command.substr(from, 1) == "-") return {};
  return command.substr(0, from) + path + command.substr(to);
}

}  // namespace

std::optional<Checkpoint> read_checkpoint(std::string_view answer, const std::string& command) {
  std::optional<Checkpoint> found;
  std::vector<std::string> options;
  for (const std::string& raw : split(answer, '\n')) {
    const std::string_view line = trim(raw);
    if (line.starts_with("file ") && !found && is_path(line.substr(5)))
      found = Checkpoint{whole(std::string(line.substr(5))), command, false};
    if (line.starts_with("option ") && options.size() < 50) options.emplace_back(line.substr(7));
  }
  if (!found) return std::nullopt;
  for (const char* option : kOptions) {
    if (std::ranges::find(options, option) == options.end()) continue;
    const std::string with = with_option(command, option, found->path);
    if (with.empty()) continue;
    found->command = with, found->option_known = true;
    break;
  }
  return found;
}

Result<std::optional<Checkpoint>> newest_checkpoint(Shell& shell, const Job& job, std::stop_token stop) {
  const std::string name = script_of(job.command);
  // Newer than its start, so that another experiment's is not taken for its own where they did not overlap.
  const std::string script = job_names(job.experiment) + "cd " + kRemoteProject + " || exit 0\n" +
                             R"sh(newer=; [ -e $f/started ] && newer="-newer $f/started"
timeout 10 find . -xdev -type f $newer \( -name '*.pt' -o -name '*.pth' -o -name '*.ckpt' -o -name '*.safetensors' -o -name '*.distcp' \) -size +0 -printf '%T@ %P\n' 2>/dev/null | sort -rn | head -n 5 | sed 's/^[^ ]* /file /'
)sh" + "s=" + shell_quote(name) +
                             R"sh(
[ -f "$s" ] && grep -oh -e '--\(resume\|ckpt\|checkpoint\|load_checkpoint\|init_from\)[a-z_-]*' "$s" 2>/dev/null | sort -u | head -n 20 | sed 's/^/option /'
)sh";
  auto answer = shell.exec(script, {.input = {}, .limit = std::chrono::seconds(30), .max_output = 16 << 10},
                           std::move(stop));
  if (!answer) return fail(std::move(answer).error().during("looking for a checkpoint"));
  return read_checkpoint(answer->out, job.command);
}

}  // namespace vastgpu
