#include "core/files.h"
#include "core/text.h"
#include "fleet/job_files.h"
#include "fleet/job_reading.h"
#include "fleet/jobs.h"
#include "fleet/reach.h"

namespace vastgpu {
namespace {

bool over(JobState s) { return s == JobState::finished || s == JobState::failed; }

/// A job of which there is nothing to learn (any more).
bool is_learned(const Job& job, const std::vector<PastRun>& learned) {
  return over(job.state) && std::ranges::any_of(learned, [&](const PastRun& r) {
           return r.experiment == job.experiment && r.started == job.started;
         });
}

/// `mark` is new for every look: a log cannot imitate it and speak for another job.
std::string look_script(const std::vector<Job>& jobs, const std::vector<PastRun>& learned, int lines,
                        const std::string& mark) {
  std::string s = "mark() { echo; echo \"" + mark + "$*\"; }\nguard=" + kGuardFile + R"sh(
mark screens; screen -ls 2>/dev/null
mark gpu; nvidia-smi --query-gpu=name,utilization.gpu,memory.used,memory.total --format=csv,noheader,nounits 2>/dev/null
mark disk; df -kP /workspace 2>/dev/null | tail -n 1; du -sk /workspace 2>/dev/null
mark guard; head -c 200 $guard 2>/dev/null
mark now; date +%s
part() { [ -f $f/$1 ] && head -c $2 $f/$1 2>/dev/null | tr '\n' ';'; }
)sh";
  for (const Job& job : jobs) {
    s += job_names(job.experiment) + R"sh(mark job $e
echo "exit=$(part exit 20) beat=$(part heartbeat 20) began=$(part began 20) ended=$(part ended 20) turn=$(part started 60) size=$(stat -c %s $log 2>/dev/null) vram=$(part vram )sh" +
         std::to_string(kMostMemoryNotes) + ")\"\n";
    // How fast it is may stand further up than the lines that are shown. A pipe in place of a file would
    // hang.
    const std::string bytes = "tail -c " + std::to_string(kMostLog);
    s += "[ -f $log ] && ";
    s += is_learned(job, learned) ? "tail -n " + std::to_string(lines) + " $log 2>/dev/null | " + bytes + "\n"
                                  : bytes + " $log 2>/dev/null\n";
  }
  return s + "mark end\n";
}

}  // namespace

Result<MachineLook> look_at(const Deps& d, const Rental& rental, Shell& shell, int lines,
                            std::stop_token stop) {
  lines = std::clamp(lines, 0, 500);
  auto jobs = d.ledger.jobs(rental.label);
  if (!jobs) return fail(std::move(jobs).error());
  // Without it everything is learned again, which changes nothing.
  const std::vector<PastRun> learned = d.ledger.runs_of_rental(rental.label).value_or(std::vector<PastRun>());
  const std::string mark = "@@vast-gpu-" + random_hex(8) + " ";
  const TimePoint asked = d.clock.now();
  auto answer = shell.exec(look_script(*jobs, learned, lines, mark), {.max_output = 4 << 20}, stop);
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
  for (Job& job : *jobs) {
    JobLook one;
    const Job before = job;
    one.job = std::move(job);
    one.screen_alive = std::erase(sessions, one.job.experiment) > 0;
    const std::string& body = parts["job " + one.job.experiment];
    read_job(one, body, lines, now, answered);
    if (one.job.state != before.state || one.job.exit_code != before.exit_code)
      if (auto noted = d.ledger.put_job(one.job); !noted) return fail(std::move(noted).error());
    // What was cut, or stands there from an earlier job of that name, teaches nothing.
    if (over(one.job.state) && parts.contains("end") && is_of_turn(one.job, body) &&
        !is_learned(one.job, learned))
      learn(d.ledger, answered, rental, one.job, one.so_far);
    look.jobs.push_back(std::move(one));
  }
  for (const std::string& name : sessions) look.foreign_screens.push_back(clean_line(name, 64));
  return look;
}

}  // namespace vastgpu
