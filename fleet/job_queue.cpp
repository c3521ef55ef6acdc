#include "fleet/job_queue.h"

#include <algorithm>

#include "core/text.h"

namespace vastgpu {
namespace {

constexpr std::size_t kDigits = 12;  // of the number before the name: order of files is order of arrival
constexpr std::size_t kMostEntries = 200;

// The gate is held while an entry becomes a running job, so that stop, run and runner never cross. The lock
// tells whether a runner lives; it is given back while the gate is held, so that whoever adds an entry after
// that starts the next runner. `started` is written before screen is called: after a crash in between a job
// is lost and named, never started twice.
constexpr std::string_view kRunner = R"sh(q=/workspace/.vast-gpu/queue jobs=/workspace/.vast-gpu/jobs
cd $q || exit 1
exec 8>lock; flock -n 8 || exit 0
export LC_ALL=C
say() { echo "$*" >why.new && mv why.new why; }
first() { ls | sed -n '/^[0-9]\{12\}-/p' | head -n 1; }
free() {
  timeout -k 2 10 nvidia-smi --query-gpu=index,memory.used --format=csv,noheader,nounits 2>/dev/null | tr -d ' ' | head -n 64 |
  while IFS=, read -r g m; do
    case $g in ''|*[!0-9]*) continue;; esac
    case $m in ''|*[!0-9]*|????????*) continue;; esac
    [ $m -lt 500 ] && echo $g
  done
}
alive() {
  p=$(cat $1/pid 2>/dev/null)
  if [ -n "$p" ]; then grep -qsF $1/run.sh /proc/$p/cmdline; else [ -n "$(find $1/gpus -mmin -1 2>/dev/null)" ]; fi
}
held() {
  for j in $jobs/*; do
    [ -f $j/gpus ] && [ ! -e $j/exit ] && alive $j && cat $j/gpus
  done | tr ',' '\n' | sed 's/^ *//; s/ *$//'
}
round() {
  has=$(free) smi=
  [ -n "$has" ] || timeout -k 2 10 nvidia-smi >/dev/null 2>&1 || smi=dead
  flock 7
  entry=$(first)
  if [ -z "$entry" ]; then rm -f why; exec 8>&-; exit 0; fi
  e=${entry#*-} f=$jobs/${entry#*-} log=/workspace/${entry#*-}.log
  read -r turn need <$entry
  case $need in ''|*[!0-9]*) need=1;; esac
  if [ "$(cat $f/started 2>/dev/null)" = "$turn" ] || [ ! -f $f/run.next ]; then rm -f $entry; return; fi
  taken=$(held) pick= n=0
  if echo "$taken" | grep -qx all; then say "an experiment that was given all GPUs runs"; return 1; fi
  for g in $has; do
    [ $n -lt $need ] || break
    echo "$taken" | grep -qx $g && continue
    pick=$pick${pick:+,}$g n=$((n+1))
  done
  if [ $n -lt $need ]; then
    if [ -z "$smi" ]; then say "$n of $need GPUs are free"; else say "nvidia-smi does not answer"; fi
    return 1
  fi
  echo $pick >$f/gpus
  mv $f/run.next $f/run.sh && echo $turn >$f/started && rm -f $entry || return 1
  if screen -dmS $e bash -l $f/run.sh 7>&- 8>&-; then
    i=0; while [ ! -e $f/pid ] && [ $i -lt 100 ]; do i=$((i+1)); /bin/sleep 0.1; done
  else
    echo "vast-gpu: screen could not start this experiment" >>$log; date +%s >$f/ended; echo 127 >$f/exit
  fi
}
state() { ls; ls -d $jobs/*/exit 2>/dev/null; }
while :; do
  exec 7>gate
  round; again=$?
  exec 7>&-
  [ $again = 0 ] && continue
  before=$(state) i=0
  while [ $i -lt 6 ] && [ "$(state)" = "$before" ]; do i=$((i+1)); /bin/sleep 0.5; done
done
)sh";

}  // namespace

std::string queue_functions() {
  return std::string("q=") + kQueueFolder + R"sh(
entry() { ls $q/????????????-$1 2>/dev/null | head -n 1; }
gate() { mkdir -p $q && exec 7>$q/gate && flock -w 20 7; }
run_queue() { [ -f $q/runner.sh ] && ls $q | grep -q '^[0-9]\{12\}-' && { setsid bash -l $q/runner.sh >>$q/runner.log 2>&1 </dev/null 7>&- 9>&- & }; }
)sh";
}

std::string install_queue_script() {
  return "cat >$q/runner.new <<'RUNNER'\n" + std::string(kRunner) + "RUNNER\nmv $q/runner.new $q/runner.sh\n";
}

std::string list_queue_script(bool go_on) {
  return "( cd $q 2>/dev/null && ls | grep '^[0-9]\\{12\\}-' | head -n " + std::to_string(kMostEntries) +
         "; echo \"why $(head -c 200 $q/why 2>/dev/null)\" )\n" + (go_on ? "run_queue\n" : "");
}

QueueLook read_queue(std::string_view answer) {
  QueueLook look;
  for (const std::string& raw : split(answer, '\n')) {
    const std::string_view line = trim(raw);
    if (line.starts_with("why ")) {
      look.why = clean_line(trim(line.substr(4)), 200);
      break;
    }
    if (line.size() <= kDigits + 1 || line[kDigits] != '-') continue;
    if (line.substr(0, kDigits).find_first_not_of("0123456789") != std::string_view::npos) continue;
    const std::string name(line.substr(kDigits + 1));
    if (is_plain_name(name) && look.waiting.size() < kMostEntries) look.waiting.push_back(name);
  }
  return look;
}

}  // namespace vastgpu
