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

std::string log_path(const std::string& experiment) { return "/workspace/" + experiment + ".log"; }

}  // namespace vastgpu
