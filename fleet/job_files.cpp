#include "fleet/job_files.h"

#include "fleet/guard.h"
#include "fleet/jobs.h"

namespace vastgpu {

std::string job_folder(const std::string& experiment) {
  return std::string(kRemoteHome) + "/jobs/" + experiment;
}

std::string turn_of(const Job& job) { return std::to_string(job.started.time_since_epoch().count()); }

std::string job_names(const std::string& experiment) {
  std::string pattern;  // of its line in the list of screen sessions: a dot means a dot
  for (const char c : experiment) pattern += c == '.' ? std::string("[.]") : std::string(1, c);
  return "e=" + experiment + " f=" + job_folder(experiment) + " log=" + log_path(experiment) +
         "\nsession() { screen -ls 2>/dev/null | sed -n 's/^[[:space:]]*\\([0-9][0-9]*[.]" + pattern +
         "\\)[[:space:]].*/\\1/p'; }\n";
}

std::string container_function() {
  // Field 22 of stat, in hundredths since boot; the name in parentheses may hold spaces.
  return R"sh(container() {
  set -- $(sed 's/.*) //' /proc/1/stat 2>/dev/null | cut -d ' ' -f 20) $(cut -d . -f 1 /proc/uptime 2>/dev/null) $(head -c 36 /proc/sys/kernel/random/boot_id 2>/dev/null)
  case $1$2 in ''|*[!0-9]*) return;; esac
  [ -n "$3" ] && echo "$3-$1 $(($2-$1/100))"
}
)sh";
}

std::string log_path(const std::string& experiment) { return "/workspace/" + experiment + ".log"; }

}  // namespace vastgpu
