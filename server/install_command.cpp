#include "server/install_command.h"

#include <unistd.h>

#include <cstdio>

#include "core/files.h"
#include "core/text.h"
#include "server/child.h"
#include "server/timer_texts.h"

namespace vastgpu {
namespace {

namespace fs = std::filesystem;
constexpr std::chrono::seconds kToolLimit(20);  // real time, for systemctl and crontab

struct ToolAnswer {
  int code = 127;
  std::string output;
};

/// Runs a program of the system; its messages go to ours where `aloud`.
ToolAnswer ask(std::vector<std::string> words, const std::string& input = {}, bool aloud = false) {
  words.insert(words.begin(), "/usr/bin/env");
  ToolAnswer answer;
  auto child = Child::start(words, {{"LC_ALL", "C"}}, aloud ? "/dev/stderr" : "");
  if (!child) return answer;
  if (!input.empty())
    (void)child->write_line(input.substr(0, input.size() - 1));  // it adds the last line's end
  if (!input.empty() || words.back() == "-") child->end_input();
  while (const auto line = child->read_line(kToolLimit)) answer.output += *line + "\n";
  answer.code = child->finish(kToolLimit);
  return answer;
}

fs::path unit_folder(const House& house) {
  const auto base = house.settings().variable("XDG_CONFIG_HOME");
  return (base && base->starts_with('/') ? fs::path(*base) : house.settings().home / ".config") / "systemd" /
         "user";
}

bool systemd_answers() { return ask({"systemctl", "--user", "show-environment"}).code == 0; }

/// @error unavailable  there is no crontab program, or it does not let us read
Result<std::string> read_crontab() {
  // The end is marked, since a last line without its end would not reach us, and it is somebody else's.
  const std::string end = "\n.end\n";
  const ToolAnswer list = ask({"sh", "-c", "crontab -l 2>&1 && printf '\\n.end\\n'"});
  if (list.code == 0 && list.output.ends_with(end))
    return list.output.substr(0, list.output.size() - end.size());
  if (list.output.find("no crontab for") != std::string::npos) return std::string();
  return fail({.code = Code::unavailable,
               .what = list.code == 127 ? "there is no crontab program"
                                        : "crontab -l failed: " + clean_line(list.output, 200),
               .next_step = "install cron, or call vast-gpu -q reap every few minutes by other means"});
}

TimerJob job_of(const House& house, const std::string& program) {
  TimerJob job{program, {}};
  for (const char* name : {"VAST_GPU_STATE", "VAST_URL", "XDG_STATE_HOME", "XDG_CONFIG_HOME",
                           "VAST_GPU_CA_FILE", "VAST_GPU_SSH_KEY"})
    if (const auto value = house.settings().variable(name)) job.variables[name] = *value;
  return job;
}

/// A timer has no environment of ours, so the key must be in a file.
bool key_is_in_a_file(const House& house) {
  const ReadVariable& variable = house.settings().variable;
  const auto without = [&](const char* name) {
    return std::string_view(name) == "VAST_API_KEY" ? std::nullopt : variable(name);
  };
  return find_api_key(without, house.settings().home).has_value();
}

int not_done(const Error& e) {
  std::fprintf(stderr, "vast-gpu: %s; %s\n", e.what.c_str(), e.next_step.c_str());
  return 2;
}

int done(const House& house, const InstallOptions& options) {
  if (options.remove || key_is_in_a_file(house)) return 0;
  std::printf(
      "ATTENTION: no API key in a file, and a timer does not see VAST_API_KEY: it can do nothing until "
      "the key is in %s\n",
      (house.settings().home / ".config/vastai/vast_api_key").c_str());
  return 1;
}

/// Writes one file unless it reads so already. True: something changed.
Result<bool> put(const fs::path& path, const std::string& content, bool dry_run) {
  if (const auto old = read_file(path, 1 << 20); old && *old == content) return false;
  if (dry_run) {
    std::printf("would write %s:\n%s\n", path.c_str(), content.c_str());
    return true;
  }
  if (auto written = replace_file(path, content, 0644); !written) return fail(std::move(written).error());
  std::printf("wrote %s\n", path.c_str());
  return true;
}

int run_systemctl(std::vector<std::string> words) {
  words.insert(words.begin(), {"systemctl", "--user"});
  const int code = ask(words, {}, true).code;
  if (code != 0) std::fprintf(stderr, "vast-gpu: %s failed\n", join(words, " ").c_str());
  return code;
}

int install_units(const House& house, const TimerJob& job, const InstallOptions& options, bool answers) {
  const fs::path folder = unit_folder(house);
  bool changed = false;
  const std::pair<fs::path, std::string> files[] = {{folder / kServiceUnit, service_text(job)},
                                                    {folder / kTimerUnit, timer_text()}};
  for (const auto& [path, content] : files) {
    auto put_it = put(path, content, options.dry_run);
    if (!put_it) return not_done(put_it.error());
    changed |= *put_it;
  }
  const std::string timer(kTimerUnit);
  if (options.dry_run) {
    std::printf("would run systemctl --user enable --now %s\n", timer.c_str());
    return done(house, options);
  }
  if (!answers) {
    std::printf("systemd's user instance does not answer here; later: systemctl --user enable --now %s\n",
                timer.c_str());
    return std::max(1, done(house, options));
  }
  if (!changed && ask({"systemctl", "--user", "is-enabled", timer}).code == 0) {
    std::printf("nothing to change: the timer is in %s\n", folder.c_str());
    return done(house, options);
  }
  if (run_systemctl({"daemon-reload"}) != 0 || run_systemctl({"enable", "--now", timer}) != 0) return 2;
  std::printf("the timer runs every five minutes while you are logged in; always: loginctl enable-linger\n");
  return done(house, options);
}

int remove_units(const House& house, const InstallOptions& options, bool answers) {
  const fs::path folder = unit_folder(house);
  const std::string timer(kTimerUnit);
  std::error_code bad;
  if (!fs::exists(folder / kTimerUnit, bad) && !fs::exists(folder / kServiceUnit, bad)) {
    std::printf("nothing to change: no timer in %s\n", folder.c_str());
    return 0;
  }
  if (options.dry_run) {
    std::printf("would remove %s and %s in %s\n", kTimerUnit.data(), kServiceUnit.data(), folder.c_str());
    return 0;
  }
  if (answers) (void)run_systemctl({"disable", "--now", timer});
  for (const std::string_view unit : {kTimerUnit, kServiceUnit})
    if (fs::remove(folder / unit, bad); bad)
      return not_done({.what = "cannot remove " + (folder / unit).string() + ": " + bad.message(),
                       .next_step = "remove it by hand"});
  if (answers) (void)run_systemctl({"daemon-reload"});
  std::printf("removed the timer in %s\n", folder.c_str());
  return 0;
}

int change_crontab(const House& house, const TimerJob& job, const InstallOptions& options) {
  const auto old = read_crontab();
  // A dry run shows the line also where cron is missing.
  if (!old && !(options.dry_run && !options.remove)) return not_done(old.error());
  const std::string before = old.value_or(std::string());
  const std::string after =
      options.remove ? without_cron_line(before) : with_cron_line(before, cron_line(job));
  if (after == before) {
    std::printf("nothing to change in your crontab\n");
    return done(house, options);
  }
  if (options.dry_run) {
    if (options.remove)
      std::printf("would remove our line from your crontab\n");
    else
      std::printf("would add to your crontab:\n%s", cron_line(job).c_str());
    return done(house, options);
  }
  const ToolAnswer written =
      after.empty() ? ask({"crontab", "-r"}, {}, true) : ask({"crontab", "-"}, after, true);
  if (written.code != 0)
    return not_done({.what = "crontab did not take the new table", .next_step = "see its message above"});
  const auto now = read_crontab();
  if (!now || has_cron_line(*now) == options.remove)
    return not_done(
        {.what = "the crontab reads otherwise than it was written", .next_step = "see crontab -l"});
  std::printf(options.remove ? "removed our line from your crontab\n"
                             : "added a line to your crontab: a pass every five minutes\n");
  return done(house, options);
}

}  // namespace

int install_keeper(const House& house, const std::string& program, const InstallOptions& options) {
  if (program.empty())
    return not_done({.what = "the system does not say where this program lies", .next_step = "mount /proc"});
  const TimerJob job = job_of(house, program);
  if (auto good = check(job); !good) return not_done(good.error());
  const bool answers = options.by == "cron" ? false : systemd_answers();
  if (!options.by.empty())
    return options.by == "cron" ? change_crontab(house, job, options)
           : options.remove     ? remove_units(house, options, answers)
                                : install_units(house, job, options, answers);
  if (!options.remove)
    return answers ? install_units(house, job, options, true) : change_crontab(house, job, options);
  // Whatever an earlier install left, wherever it was.
  int code = remove_units(house, options, answers);
  if (const auto table = read_crontab(); table && has_cron_line(*table))
    code = std::max(code, change_crontab(house, job, options));
  return code;
}

std::string installed_keeper(const House& house) {
  std::error_code bad;
  const fs::path timer = unit_folder(house) / kTimerUnit;
  if (fs::exists(timer, bad)) {
    const bool runs = ask({"systemctl", "--user", "is-active", std::string(kTimerUnit)}).code == 0;
    return timer.string() + (runs ? "" : ", which systemd does not run now");
  }
  if (const auto table = read_crontab(); table && has_cron_line(*table)) return "a line in your crontab";
  return {};
}

}  // namespace vastgpu
