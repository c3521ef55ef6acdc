#include "fleet/job_script.h"

#include "core/text.h"
#include "fleet/gpu_memory.h"
#include "fleet/job_files.h"
#include "fleet/job_pulse.h"
#include "fleet/job_queue.h"

namespace vastgpu {

std::string run_script(const JobRequest& r) {
  std::string s = job_names(r.experiment) + container_function() + "cd /workspace/project || exit 1\n";
  std::string watched = gpus_of_job(r.gpus, r.command);
  if (r.gpus_needed > 0) {  // by the runner of the queue
    s += "export CUDA_VISIBLE_DEVICES=\"$(head -n 1 $f/gpus)\"\n";
    watched = kVisibleDevices;
  } else if (r.gpus == kNoGpus) {
    s += "export CUDA_VISIBLE_DEVICES=-1\n";
  } else if (!r.gpus.empty()) {
    s += "export CUDA_VISIBLE_DEVICES=" + shell_quote(r.gpus) + "\n";
  }
  s += R"sh(export PYTHONUNBUFFERED=1
killed() { cat /sys/fs/cgroup/memory.events /sys/fs/cgroup/memory/memory.oom_control 2>/dev/null | sed -n 's/^oom_kill \([0-9]*\)$/\1/p' | head -n 1; }
container >$f/container
killed >$f/killed
echo $$ >$f/pid
)sh" + watch_memory_script(watched) +
       pulse_script() + R"sh(date +%s >$f/began
( while kill -0 $$ 2>/dev/null; do date +%s >$f/heartbeat.new && mv $f/heartbeat.new $f/heartbeat; sleep 15; done ) &
beat=$!
exec 3> >(exec tee -a $log)
( env=$f/env; unset e f log beat watch pulse
if [ -f $env ]; then set -a; . $env; set +a; fi
unset env
command=)sh" +
       shell_quote(r.command) + R"sh(
eval "$command" ) >&3 2>&1 3>&-
code=$?
exec 3>&-
date +%s >$f/ended
idle=$(pgrep -d ' ' -P $beat,$watch,$pulse)
kill $beat $watch $pulse $idle 2>/dev/null
rest() {
  n=1; set -- $1 $(ps -o stat=,pid= -s $$)
  while [ $# -ge 3 ]; do
    case $2,$3 in Z*|X*|*,$$) ;; *) kill -$1 $3 2>/dev/null && n=0;; esac
    set -- $1 "${@:4}"
  done
  return $n
}
i=0; while rest 0 && [ $i -lt 100 ]; do i=$((i+1)); /bin/sleep 0.1; done
if rest TERM; then
  i=0; while rest 0 && [ $i -lt 50 ]; do i=$((i+1)); /bin/sleep 0.1; done
  rest KILL
  echo "vast-gpu: the command ended and left processes running; they were ended" >>$log
fi
killed >>$f/killed
echo $code >$f/exit.new && mv $f/exit.new $f/exit
)sh";
  return s;
}

std::string start_script(const StartOrder& o) {
  const char* const env = o.env == EnvChange::replace ? "replace"
                          : o.env == EnvChange::keep  ? "keep"
                                                      : "none";
  return job_names(o.experiment) + queue_functions() + "what=" + o.fingerprint + " turn=" + o.turn +
         text(" size=", o.script_size, " env=", env, " env_size=", o.env_size, " need=", o.gpus_needed,
              " gpus='", o.gpus, "'\n") +
         R"sh(mkdir -p $f || exit 1
exec 9>$f/lock; flock -w 20 9 || { echo "another start of it holds the lock"; exit 1; }
head -c $size >$f/run.new && [ "$(stat -c %s $f/run.new)" = $size ] || { echo "half of the job arrived"; exit 1; }
if [ $env = replace ]; then
  ( umask 077; rm -f $f/env.new; head -c $env_size >$f/env.new ) && [ "$(stat -c %s $f/env.new)" = $env_size ] || { echo "half of the environment arrived"; exit 1; }
fi
gate || { echo "the queue cannot be locked"; exit 1; }
is=$what-$turn
was=$(cat $f/started 2>/dev/null)
[ "$was" = "$is" ] && { echo already; exit 0; }
waits=$(entry $e)
if [ -n "$waits" ]; then
  case $(cat $f/queued 2>/dev/null) in $what-*) run_queue; echo waiting;; *) echo other;; esac
  exit 0
fi
if [ -n "$was" ] && [ ! -e $f/exit ] && [ -n "$(session)" ]; then
  case $was in $what-*) echo already;; *) echo other;; esac
  exit 0
fi
[ -e $f/exit ] && [ -e $log ] && mv $log $log.$(date +%s)
rm -f $f/exit $f/began $f/ended $f/heartbeat $f/pid $f/vram $f/pulse $f/stopped $f/killed $f/container $f/started $f/gpus
[ $env = keep ] || rm -f $f/env
[ $env = replace ] && mv $f/env.new $f/env
touch $log
mv $f/run.new $f/run.next || exit 1
if [ $need -gt 0 ]; then
)sh" + install_queue_script() +
         R"sh(  n=$(cat $q/seq 2>/dev/null); case $n in ''|*[!0-9]*) n=0;; esac
  n=$((n+1)); echo $n >$q/seq
  echo $is >$f/queued
  echo $is $need >$q/new && mv $q/new $q/$(printf %012d $n)-$e || exit 1
  run_queue; echo queued
  exit 0
fi
echo "$gpus" >$f/gpus
mv $f/run.next $f/run.sh && echo $is >$f/started || exit 1
screen -dmS $e bash -l $f/run.sh 9>&- 7>&- && echo started || { rm -f $f/started; exit 1; }
)sh";
}

}  // namespace vastgpu
