#include "fleet/job_files.h"
#include "fleet/job_queue.h"
#include "fleet/jobs.h"

namespace vastgpu {

Result<void> stop_job(Shell& shell, const std::string& experiment, std::stop_token stop) {
  // The whole session of the job, leader included; an exit code of 143 is written here since its shell is
  // gone by then. After a restart of the container its number may belong to something else. screen takes the
  // start of a name for the name, so it is told the whole "pid.name".
  const std::string script = job_names(experiment) + queue_functions() + R"sh(
gate || exit 1
rm -f $(entry $e)
mkdir -p $f; [ -e $f/exit ] || touch $f/stopped
pid=$(cat $f/pid 2>/dev/null); grep -qsF $f/run.sh "/proc/${pid:-0}/cmdline" || pid=
s=$(ps -o sid= -p "${pid:-0}" 2>/dev/null | tr -d ' ')
[ -n "$s" ] && pkill -TERM -s $s
i=0; while [ -n "$s" ] && pgrep -s $s >/dev/null && [ $i -lt 100 ]; do i=$((i+1)); /bin/sleep 0.1; done
[ -n "$s" ] && pkill -KILL -s $s
for one in $(session); do screen -S $one -X quit >/dev/null 2>&1; done
[ -e $f/exit ] || { date +%s >$f/ended; echo 143 >$f/exit; }
[ -z "$(session)" ]
)sh";
  auto done = shell.exec(script, {}, std::move(stop));
  if (!done) return fail(std::move(done).error().during("stopping experiment " + experiment));
  if (done->exit_code != 0)
    return fail({.code = Code::unavailable,
                 .what = "experiment " + experiment + " could not be stopped",
                 .next_step = "try again"});
  return {};
}

Result<void> stop_screens(Shell& shell, std::stop_token stop) {
  auto done = shell.exec(R"sh(
list() { screen -ls 2>/dev/null | sed -n 's/^[[:space:]]*\([0-9][0-9]*\)[.].*/\1/p'; }
for one in $(list); do screen -S $one -X quit >/dev/null 2>&1; done
i=0; while [ -n "$(list)" ] && [ $i -lt 50 ]; do i=$((i+1)); /bin/sleep 0.1; done
[ -z "$(list)" ]
)sh",
                         {}, std::move(stop));
  if (!done) return fail(std::move(done).error().during("stopping screen sessions"));
  if (done->exit_code != 0)
    return fail({.code = Code::unavailable,
                 .what = "a screen session could not be stopped",
                 .next_step = "try again"});
  return {};
}

}  // namespace vastgpu
