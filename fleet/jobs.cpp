#include "fleet/jobs.h"

#include <charconv>

#include "core/files.h"
#include "core/log.h"
#include "core/text.h"
#include "fleet/reach.h"

namespace vastgpu {
namespace {

constexpr std::size_t kMostLog = 24'000;          // bytes of a log that one look brings
constexpr auto kStale = std::chrono::minutes(3);  // the heartbeat comes every 15 s

std::string job_folder(const std::string& experiment) {
  return std::string(kRemoteHome) + "/jobs/" + experiment;
}

/// Tells the starts of one experiment apart, here and on the machine.
std::string turn_of(const Job& job) { return std::to_string(job.started.time_since_epoch().count()); }

/// Where the parts of a script find their experiment. A plain name needs no quotes.
std::string names(const std::string& experiment) {
  std::string pattern;  // of its line in the list of screen sessions: a dot means a dot
  for (const char c : experiment) pattern += c == '.' ? std::string("[.]") : std::string(1, c);
  return "e=" + experiment + " f=" + job_folder(experiment) + " log=" + log_path(experiment) +
         "\nsession() { screen -ls 2>/dev/null | sed -n 's/^[[:space:]]*\\([0-9][0-9]*[.]" + pattern +
         "\\)[[:space:]].*/\\1/p'; }\n";
}

/// Runs inside screen. tee keeps the log visible in the screen session, as other tools expect it. The command
/// is handed to eval, so that a mistake in it is an exit code and a line in the log, not the end of this
/// script.
std::string run_script(const JobRequest& r) {
  std::string s = names(r.experiment) + "cd /workspace/project || exit 1\n";
  if (!r.gpus.empty()) s += "export CUDA_VISIBLE_DEVICES=" + shell_quote(r.gpus) + "\n";
  return s + "command=" + shell_quote(r.command) + R"sh(
export PYTHONUNBUFFERED=1
echo $$ >$f/pid
)sh" + watch_memory_script(gpus_of_job(r.gpus, r.command)) +
         R"sh(date +%s >$f/began
( while kill -0 $$ 2>/dev/null; do date +%s >$f/heartbeat.new && mv $f/heartbeat.new $f/heartbeat; sleep 15; done ) &
beat=$!
( unset e f log beat watch; eval "$command" ) 2>&1 | tee -a $log
code=${PIPESTATUS[0]}
kill $beat $watch 2>/dev/null
date +%s >$f/ended
echo $code >$f/exit.new && mv $f/exit.new $f/exit
)sh";
}

/// Starts at most once: `started` holds what was started and for which call. `turn` tells the calls apart, so
/// that a repeated call that lost its answer finds its own mark even when the job is over by now.
std::string start_script(const std::string& experiment, const std::string& fingerprint,
                         const std::string& turn) {
  return names(experiment) + "what=" + fingerprint + " turn=" + turn + R"sh(
mkdir -p $f || exit 1
exec 9>$f/lock; flock 9 2>/dev/null
was=$(cat $f/started 2>/dev/null)
[ "$was" = "$what-$turn" ] && { echo already; exit 0; }
if [ -n "$was" ] && [ ! -e $f/exit ] && [ -n "$(session)" ]; then
  case $was in $what-*) echo already;; *) echo other;; esac
  exit 0
fi
[ -e $f/exit ] && [ -e $log ] && mv $log $log.$(date +%s)
rm -f $f/exit $f/began $f/ended $f/heartbeat $f/pid $f/vram
touch $log
mv $f/run.next $f/run.sh && echo $what-$turn >$f/started || exit 1
screen -dmS $e bash -l $f/run.sh 9>&- && echo started || { rm -f $f/started; exit 1; }
)sh";
}

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
    s += names(job.experiment) + R"sh(mark job $e
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

std::optional<std::int64_t> number_after(std::string_view line, std::string_view key) {
  const auto at = line.find(key);
  if (at == std::string_view::npos) return std::nullopt;
  const char* from = line.data() + at + key.size();
  std::int64_t value = 0;
  const auto [end, bad] = std::from_chars(from, line.data() + line.size(), value);
  if (bad != std::errc{} || end == from) return std::nullopt;
  return value;
}

TimePoint at_seconds(std::int64_t s) { return TimePoint(std::chrono::seconds(s)); }

/// A moment that a machine wrote down; nothing when no clock can have shown it.
std::optional<TimePoint> moment_after(std::string_view line, std::string_view key) {
  const auto seconds = number_after(line, key);
  if (!seconds || *seconds <= 0 || *seconds > 100'000'000'000) return std::nullopt;
  return at_seconds(*seconds);
}

std::string_view last_lines(std::string_view text, int lines) {
  if (lines <= 0) return {};
  std::size_t at = text.size();
  if (at > 0 && text[at - 1] == '\n') --at;
  for (; at > 0; --at)
    if (text[at - 1] == '\n' && --lines == 0) return text.substr(at);
  return text;
}

/// A progress bar drawn with carriage returns is worth its last state only.
std::string without_redraws(std::string_view log) {
  std::vector<std::string> lines;
  for (const std::string& line : split(log, '\n')) {
    std::string_view shown = line;
    while (!shown.empty() && shown.back() == '\r') shown.remove_suffix(1);
    if (const auto cut = shown.rfind('\r'); cut != std::string_view::npos) shown.remove_prefix(cut + 1);
    lines.emplace_back(shown);
  }
  while (!lines.empty() && lines.back().empty()) lines.pop_back();
  return clean(join(lines, "\n"), kMostLog);
}

/// "name, busy, used, total" lines in words.
std::string gpu_words(const std::string& csv) {
  std::vector<std::string> words;
  for (const std::string& line : split(csv, '\n')) {
    const auto parts = split(line, ',');
    if (parts.size() < 4) continue;
    words.push_back(clean_line(parts[0], 60) + ": " + clean_line(parts[1], 8) + " % busy, " +
                    fixed(std::atof(parts[2].c_str()) / 1024, 1) + " of " +
                    fixed(std::atof(parts[3].c_str()) / 1024, 1) + " GiB");
  }
  return join(words, "; ");
}

/// What the machine noted about a job's run: how long, how much memory, how far.
JobEnd read_end(std::string_view facts, std::string_view log, std::optional<TimePoint> machine_now) {
  JobEnd end;
  const auto began = moment_after(facts, " began=");
  const auto ended = facts.starts_with("exit= ") ? machine_now : moment_after(facts, " ended=");
  if (began && ended && *ended >= *began && *ended - *began < std::chrono::hours(24 * 366))
    end.ran = std::chrono::duration_cast<Hours>(*ended - *began);
  if (const auto at = facts.find(" vram="); at != std::string_view::npos)
    end.memory = read_memory_notes(facts.substr(at + 6));
  end.progress = read_progress(log);
  end.out_of_memory = shows_out_of_memory(log);
  return end;
}

/// Whether the machine's notes are about this start of the experiment.
bool is_of_turn(const Job& job, const std::string& body) {
  const std::string facts = body.substr(0, body.find('\n'));
  return facts.find("-" + turn_of(job) + "; size=") != std::string::npos;
}

/// `body`: what the machine said about this job; empty when its answer was cut before it.
void read_job(JobLook& look, const std::string& body, int lines, std::optional<TimePoint> machine_now,
              TimePoint now) {
  const auto first_end = std::min(body.find('\n'), body.size());
  const std::string facts = body.substr(0, first_end);
  const auto log = std::string_view(body).substr(std::min(first_end + 1, body.size()));
  look.log = without_redraws(last_lines(log, lines));
  look.so_far = read_end(facts, log, machine_now);
  look.log_size =
      static_cast<std::uint64_t>(std::max<std::int64_t>(number_after(facts, "size=").value_or(0), 0));
  const auto beat = moment_after(facts, "beat=");
  if (beat && machine_now) look.heartbeat_age = *machine_now - *beat;
  const auto exit_code = number_after(facts, "exit=");
  if (exit_code) {
    look.job.state = *exit_code == 0 ? JobState::finished : JobState::failed;
    look.job.exit_code = static_cast<int>(std::clamp<std::int64_t>(*exit_code, -1, 255));
    if (const auto ended = moment_after(facts, "ended=")) look.job.ended = *ended;
    return;
  }
  const bool open = look.job.state == JobState::starting || look.job.state == JobState::running;
  if (look.screen_alive)
    look.job.state = JobState::running;
  else if (open && !facts.empty() && look.heartbeat_age.value_or(now - look.job.started) > kStale)
    look.job.state =
        JobState::lost;  // no screen, no exit code, no heartbeat: the container was restarted under it
}

}  // namespace

std::string log_path(const std::string& experiment) { return "/workspace/" + experiment + ".log"; }

Result<Job> start_job(const Deps& d, const Rental& rental, const JobRequest& request, const Caller& caller) {
  if (!is_plain_name(request.experiment))
    return fail({.code = Code::invalid_argument,
                 .what = "experiment '" + clean_line(request.experiment, 80) + "' is not a plain name",
                 .next_step = "use letters, digits, dots, dashes and underscores, at most 64"});
  if (request.command.empty() || request.command.find('\n') != std::string::npos)
    return fail({.code = Code::invalid_argument,
                 .what = "command must be one line",
                 .next_step = "put several steps into a script of the project"});
  if (rental.status != Status::ready)
    return fail({.code = Code::wrong_state,
                 .what = "instance " + (rental.instance ? to_string(*rental.instance) : rental.label) +
                         " is " + to_string(rental.status),
                 .next_step = "call list to see where it stands"});
  auto shell = reach(d, rental, caller.stop);
  if (!shell) return fail(std::move(shell).error());
  auto known = d.ledger.jobs(rental.label);
  if (!known) return fail(std::move(known).error());
  const auto before = std::ranges::find(*known, request.experiment, &Job::experiment);

  const std::string script = run_script(request);
  const std::string fingerprint = sha256_hex(script).substr(0, 16);
  Job job{rental.label,       request.experiment,
          request.command,    request.auto_destroy,
          JobState::starting, {},
          d.clock.now(),      {},
          request.gpus};
  // The last call never learned what became of it: this is the same turn.
  if (before != known->end() && before->state == JobState::starting && before->command == job.command)
    job.started = before->started;
  if (auto noted = d.ledger.put_job(job); !noted) return fail(std::move(noted).error());
  auto sent = (*shell)->put(job_folder(request.experiment) + "/run.next", script, 0755, caller.stop);
  if (!sent) return fail(std::move(sent).error().during("sending the job"));
  auto started = (*shell)->exec(start_script(request.experiment, fingerprint, turn_of(job)), {}, caller.stop);
  if (!started) return fail(std::move(started).error().during("starting the job"));
  const std::string_view word = trim(started->out);
  if (word == "other") {
    if (before != known->end())
      if (auto restored = d.ledger.put_job(*before); !restored) return fail(std::move(restored).error());
    return fail({.code = Code::wrong_state,
                 .what = "another command is running as " + request.experiment,
                 .next_step = "wait for it (monitor), or choose another experiment name"});
  }
  if (word != "started" && word != "already")
    return fail({.code = Code::unavailable,
                 .what = "screen did not start the job: " + clean_line(started->err + started->out, 300),
                 .next_step = "is screen installed? call setup, then run again"});
  if (word == "already" && before != known->end()) job.started = before->started;
  job.state = JobState::running;
  if (auto noted = d.ledger.put_job(job); !noted) return fail(std::move(noted).error());
  log_fact("job label=", rental.label, " experiment=", job.experiment, " ", std::string(word));
  return job;
}

Result<void> stop_job(Shell& shell, const std::string& experiment, std::stop_token stop) {
  // The whole session of the job, leader included; an exit code of 143 is written here since its shell is
  // gone by then. screen takes the start of a name for the name, so it is told the whole "pid.name".
  const std::string script = names(experiment) + R"sh(
pid=$(cat $f/pid 2>/dev/null); s=$(ps -o sid= -p "${pid:-0}" 2>/dev/null | tr -d ' ')
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

  std::map<std::string, std::string> parts;
  const std::string separator = "\n" + mark;
  for (std::size_t at = answer->out.find(separator); at != std::string::npos;) {
    const std::size_t name_from = at + separator.size();
    const std::size_t name_to = answer->out.find('\n', name_from);
    if (name_to == std::string::npos) break;
    const std::size_t following = answer->out.find(separator, name_to);
    parts.try_emplace(
        answer->out.substr(name_from, name_to - name_from),
        answer->out.substr(name_to + 1,
                           following == std::string::npos ? std::string::npos : following - name_to - 1));
    at = following;
  }

  MachineLook look;
  look.gpu = gpu_words(parts["gpu"]);
  std::optional<TimePoint> now;
  Duration skew{};
  if (const auto s = number_after("=" + parts["now"], "=")) {
    now = at_seconds(*s);
    skew = clock_skew(*now, asked, answered);
  }
  if (const auto used = split(parts["disk"], '\n'); used.size() > 1)
    look.disk =
        fixed(std::atof(used[1].c_str()) * 1024 / 1e9, 2) + " of " + fixed(rental.disk.value, 0) + " GB used";
  if (const auto guard = read_guard_report(parts["guard"])) {
    look.guard_seen = guard->now - skew;
    look.guard_end = guard->end - skew;
    look.guard_key = guard->key;
    look.guard_left = guard->left;
  }
  std::vector<std::string> sessions;
  for (const std::string& line : split(parts["screens"], '\n')) {
    const auto dot = line.find('.');
    const auto tab = line.find('\t', dot == std::string::npos ? 0 : dot);
    if (dot != std::string::npos && tab != std::string::npos && line.find("(Dead") == std::string::npos)
      sessions.push_back(line.substr(dot + 1, tab - dot - 1));
  }
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
