#include "core/files.h"
#include "core/text.h"
#include "fleet/followed_log.h"
#include "fleet/job_files.h"
#include "fleet/job_reading.h"
#include "fleet/jobs.h"
#include "fleet/reach.h"

namespace vastgpu {
namespace {

/// A job of which there is nothing to learn (any more).
bool is_learned(const Job& job, const std::vector<PastRun>& learned) {
  return has_ended(job.state) && std::ranges::any_of(learned, [&](const PastRun& r) {
           return r.experiment == job.experiment && r.started == job.started;
         });
}

// The log of $e from where it was read to (inode and bytes; 0 0: nothing yet), at least the last $4 bytes of
// it and at most $3. A file that was renamed is found by its inode, and what was left in it comes first. A
// pipe in place of a file would hang.
constexpr const char* kFollow = R"sh(
follow() {
  l=$log o=
  [ "$1" = 0 ] || [ "$(stat -c %i $log 2>/dev/null)" = "$1" ] || o=$(find /workspace -maxdepth 1 -type f -inum $1 2>/dev/null | head -n 1)
  [ -e $log ] || l=$o
  [ -f "$l" ] || return 0
  set -- $1 $2 $3 $4 $(stat -c '%i %s' "$l")
  from=$2
  if [ $1 = 0 ]; then [ $6 -ge $from ] || from=0
  elif [ $1 != $5 ]; then
    [ -f "$o" ] && { mark old $e; tail -c +$(($2+1)) "$o" | head -c $3; }
    from=0
  elif [ $6 -lt $from ]; then from=0; fi
  [ $(($6-from)) -ge $4 ] || from=$(($6-$4))
  [ $from -ge 0 ] || from=0
  [ $(($6-from)) -le $3 ] || from=$(($6-$3))
  mark log $e; echo "$5 $from"; tail -c +$((from+1)) "$l" | head -c $3
}
)sh";

/// `mark` is new for every look: a log cannot imitate it and speak for another job.
std::string look_script(const std::vector<Job>& jobs, const std::vector<PastRun>& learned, int lines,
                        const std::string& mark, bool lease_over, const LogFollows* follow) {
  std::string s = "mark() { echo; echo \"" + mark + "$*\"; }\nguard=" + kGuardFile + "\n" +
                  queue_functions() + container_function() + kFollow + R"sh(
mark screens; screen -ls 2>/dev/null
mark gpu; timeout -k 2 10 nvidia-smi --query-gpu=name,utilization.gpu,memory.used,memory.total --format=csv,noheader,nounits 2>/dev/null
mark disk; df -kP /workspace 2>/dev/null | tail -n 1; timeout -k 2 10 du -sk /workspace 2>/dev/null
mark guard; head -c 200 $guard 2>/dev/null
mark now; date +%s
mark container; container
mark queue; )sh" + list_queue_script(!lease_over) +
                  their_work_script() + R"sh(
part() { [ -f $f/$1 ] && head -c $2 $f/$1 2>/dev/null | tr '\n' ';'; }
)sh";
  for (const Job& job : jobs) {
    s += job_names(job.experiment) + R"sh(mark job $e
echo "exit=$(part exit 20) beat=$(part heartbeat 20) began=$(part began 20) ended=$(part ended 20) turn=$(part started 60) size=$(stat -c %s $log 2>/dev/null) stopped=$([ -e $f/stopped ] && echo 1) box=$(part container 80) gpus=$(part gpus 100) killed=$(part killed 40 | sed 's/;/ killed_end=/') vram=$(part vram )sh" +
         std::to_string(kMostMemoryNotes) + ")\"\n";
    if (is_open(job.state))
      s += "mark pulse $e; [ -f $f/pulse ] && tail -c " + std::to_string(kMostPulses) + " $f/pulse\n";
    // How fast it is may stand further up than the lines that are shown.
    const auto known = follow != nullptr ? follow->find(job.experiment) : LogFollows::const_iterator{};
    if (follow == nullptr && is_learned(job, learned)) {
      s += "mark log $e; echo 1 0; [ -f $log ] && tail -n " + std::to_string(lines) +
           " $log 2>/dev/null | tail -c " + std::to_string(kMostLog) + "\n";
    } else if (follow == nullptr || known == follow->end()) {
      s += text("follow 0 0 ", kMostLog, " ", kMostLog, "\n");
    } else {
      const LogFollow& log = known->second;
      s += text("follow ", log.place.inode, " ", log.place.at, " ", kMostWindow, " ",
                log.window.empty() ? kMostLog : 0, "\n");
    }
  }
  return s + "mark end\n";
}

}  // namespace

Result<MachineLook> look_at(const Deps& d, const Rental& rental, Shell& shell, int lines,
                            std::stop_token stop, LogFollows* follow) {
  lines = std::clamp(lines, 0, 500);
  auto jobs = d.ledger.jobs(rental.label);
  if (!jobs) return fail(std::move(jobs).error());
  // Without it everything is learned again, which changes nothing.
  const std::vector<PastRun> learned = d.ledger.runs_of_rental(rental.label).value_or(std::vector<PastRun>());
  const std::string mark = "@@vast-gpu-" + random_hex(8) + " ";
  const TimePoint asked = d.clock.now();
  // A machine that was started once more for its results starts nothing new.
  const bool lease_over = !rental.adopted && asked > rental.lease_end;
  auto answer =
      shell.exec(look_script(*jobs, learned, lines, mark, lease_over, follow), {.max_output = 4 << 20}, stop);
  const TimePoint answered = d.clock.now();
  if (!answer) return fail(std::move(answer).error().during("looking at the machine"));

  auto parts = parts_of(answer->out, mark);
  MachineLook look;
  look.gpu = gpu_words(parts["gpu"]);
  std::optional<TimePoint> now;
  Duration skew{};
  if ((now = moment_after("=" + parts["now"], "="))) skew = clock_skew(*now, asked, answered);
  if (const auto used = split(parts["disk"], '\n'); used.size() > 1)
    look.disk =
        fixed(std::atof(used[1].c_str()) * 1024 / 1e9, 2) + " of " + fixed(rental.disk.value, 0) + " GB used";
  if (const auto guard = read_guard_report(parts["guard"])) {
    look.guard_seen = guard->now - skew;
    look.guard_end = guard->end - skew;
    look.guard_key = guard->key;
    look.guard_left = guard->left;
  }
  std::vector<std::string> sessions = screen_names(parts["screens"]);
  look.machine_now = now;
  look.queue = read_queue(parts["queue"]);
  for (int n = 0; n < kTheirQueues; ++n)
    if (const auto at = parts.find(text("theirs ", n)); at != parts.end())
      if (auto queue = read_their_queue(at->second)) look.theirs.queues.push_back(*std::move(queue));
  read_watchdog(parts["watchdog"], look.theirs);
  const LookTerms terms{
      lines,       now,       skew, answered, std::string(trim(parts["container"].substr(0, 200))),
      &look.queue, lease_over};
  for (Job& job : *jobs) {
    JobLook one;
    const Job before = job;
    one.job = std::move(job);
    const std::string& name = one.job.experiment;
    one.screen_alive = std::erase(sessions, name) > 0;
    const std::string& body = parts["job " + name];
    const std::string facts = body.substr(0, body.find('\n'));
    one.pulses = read_pulses(parts["pulse " + name]);
    LogFollow alone;
    LogFollow& log = follow != nullptr ? (*follow)[name] : alone;
    follow_log(log, parts["log " + name], parts["old " + name]);
    keep_followed(d.settings.state_folder, rental, name, log.window);
    read_job(one, facts, log.window, terms);
    if (one.job.state != before.state || one.job.exit_code != before.exit_code || one.job.note != before.note)
      if (auto noted = d.ledger.note_job(one.job, before.state); !noted)
        return fail(std::move(noted).error());
    // What was cut, or stands there from an earlier job of that name, teaches nothing.
    if (has_ended(one.job.state) && parts.contains("end") && is_of_turn(one.job, facts) &&
        !is_learned(one.job, learned))
      learn(d.ledger, answered, rental, one.job, one.so_far);
    look.jobs.push_back(std::move(one));
  }
  for (const std::string& name : look.queue.waiting)
    if (!lease_over &&
        std::ranges::none_of(look.jobs, [&](const JobLook& j) { return j.job.experiment == name; }))
      look.strange_waiters.push_back(name);
  for (const std::string& name : sessions) look.foreign_screens.push_back(clean_line(name, 64));
  return look;
}

}  // namespace vastgpu
