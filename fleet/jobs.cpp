#include "fleet/jobs.h"

#include <charconv>
#include <sstream>

#include "core/files.h"
#include "core/log.h"
#include "core/text.h"
#include "fleet/guard.h"
#include "fleet/reach.h"

namespace vastgpu {
namespace {

constexpr auto kStale = std::chrono::minutes(3);  // the heartbeat comes every 15 s
constexpr std::string_view kMark = "@@vast-gpu ";  // separates the parts of one look

std::string job_folder(const std::string& experiment) { return std::string(kRemoteHome) + "/jobs/" + experiment; }

/// Runs inside screen. tee keeps the log visible in the screen session, as other tools expect it.
std::string run_script(const JobRequest& r) {
  const std::string folder = job_folder(r.experiment);
  std::string s = "cd /workspace/project || exit 1\n";
  if (!r.gpus.empty()) s += "export CUDA_VISIBLE_DEVICES=" + shell_quote(r.gpus) + "\n";
  s += "export PYTHONUNBUFFERED=1\n"
       "echo $$ >" + folder + "/pid\n"
       "( while kill -0 $$ 2>/dev/null; do date +%s >" + folder + "/heartbeat.new && mv " + folder + "/heartbeat.new " + folder +
       "/heartbeat; sleep 15; done ) &\n"
       "beat=$!\n"
       "( " + r.command + "\n) 2>&1 | tee -a " + log_path(r.experiment) + "\n"
       "code=${PIPESTATUS[0]}\n"
       "kill $beat 2>/dev/null\n"
       "date +%s >" + folder + "/ended\n"
       "echo $code >" + folder + "/exit.new && mv " + folder + "/exit.new " + folder + "/exit\n";
  return s;
}

/// Starts at most once per command: the folder with its command file is made atomically before screen starts.
std::string start_script(const std::string& experiment, const std::string& fingerprint) {
  const std::string folder = job_folder(experiment);
  return "f=" + folder + "; mkdir -p $f || exit 1\n"
         "exec 9>$f/lock; flock 9 2>/dev/null\n"
         "if [ -e $f/started ] && [ ! -e $f/exit ] && screen -ls 2>/dev/null | grep -q '[0-9][.]" + experiment + "[[:space:]]'; then\n"
         "  [ \"$(cat $f/started)\" = " + fingerprint + " ] && echo already || echo other; exit 0\n"
         "fi\n"
         "[ -e $f/exit ] && [ -e " + log_path(experiment) + " ] && mv " + log_path(experiment) + " " + log_path(experiment) + ".$(date +%s)\n"
         "rm -f $f/exit $f/ended $f/heartbeat\n"
         "mv $f/run.next $f/run.sh && echo " + fingerprint + " >$f/started\n"
         "touch " + log_path(experiment) + "\n"
         "screen -dmS " + experiment + " bash -l $f/run.sh 9>&- && echo started\n";
}

std::string look_script(const std::vector<Job>& jobs, int lines) {
  std::string s = "mark() { echo; echo \"" + std::string(kMark) + "$*\"; }\n"
                  "mark screens; screen -ls 2>/dev/null\n"
                  "mark gpu; nvidia-smi --query-gpu=name,utilization.gpu,memory.used,memory.total --format=csv,noheader,nounits 2>/dev/null\n"
                  "mark disk; df -kP /workspace 2>/dev/null | tail -n 1; du -sk /workspace 2>/dev/null\n"
                  "mark guard; cat " + std::string(kGuardFile) + " 2>/dev/null\n"
                  "mark now; date +%s\n";
  for (const Job& job : jobs) {
    const std::string folder = job_folder(job.experiment);
    s += "mark job " + job.experiment + "\n"
         "echo \"exit=$(cat " + folder + "/exit 2>/dev/null) beat=$(cat " + folder + "/heartbeat 2>/dev/null) ended=$(cat " + folder +
         "/ended 2>/dev/null) size=$(stat -c %s " + log_path(job.experiment) + " 2>/dev/null)\"\n"
         "tail -n " + std::to_string(lines) + " " + log_path(job.experiment) + " 2>/dev/null | tail -c 24000\n";
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

/// A progress bar drawn with carriage returns is worth its last state only.
std::string without_redraws(const std::string& log) {
  std::vector<std::string> lines;
  for (const std::string& line : split(log, '\n')) {
    std::string_view shown = line;
    while (!shown.empty() && shown.back() == '\r') shown.remove_suffix(1);
    if (const auto cut = shown.rfind('\r'); cut != std::string_view::npos) shown.remove_prefix(cut + 1);
    lines.emplace_back(shown);
  }
  while (!lines.empty() && lines.back().empty()) lines.pop_back();
  return clean(join(lines, "\n"), 24'000);
}

/// "name, busy, used, total" lines in words.
std::string gpu_words(const std::string& csv) {
  std::vector<std::string> words;
  for (const std::string& line : split(csv, '\n')) {
    const auto parts = split(line, ',');
    if (parts.size() < 4) continue;
    words.push_back(clean_line(parts[0], 60) + ": " + clean_line(parts[1], 8) + " % busy, " +
                    fixed(std::atof(parts[2].c_str()) / 1024, 1) + " of " + fixed(std::atof(parts[3].c_str()) / 1024, 1) + " GiB");
  }
  return join(words, "; ");
}

void read_job(JobLook& look, const std::string& body, std::optional<TimePoint> machine_now) {
  const auto first_end = body.find('\n');
  const std::string facts = body.substr(0, first_end);
  look.log = first_end == std::string::npos ? "" : without_redraws(body.substr(first_end + 1));
  look.log_size = static_cast<std::uint64_t>(number_after(facts, "size=").value_or(0));
  const auto beat = number_after(facts, "beat=");
  if (beat && machine_now) look.heartbeat_age = *machine_now - at_seconds(*beat);
  const auto exit_code = number_after(facts, "exit=");
  if (exit_code) {
    look.job.state = *exit_code == 0 ? JobState::finished : JobState::failed;
    look.job.exit_code = static_cast<int>(*exit_code);
    if (const auto ended = number_after(facts, "ended=")) look.job.ended = at_seconds(*ended);
  } else if (look.screen_alive) {
    look.job.state = JobState::running;
  } else if (look.heartbeat_age && *look.heartbeat_age > kStale) {
    look.job.state = JobState::lost;  // no screen, no exit code, no heartbeat: the container was restarted under it
  }
}

}  // namespace

std::string log_path(const std::string& experiment) { return "/workspace/" + experiment + ".log"; }

Result<Job> start_job(const Deps& d, const Rental& rental, const JobRequest& request, const Caller& caller) {
  if (!is_plain_name(request.experiment))
    return fail({.code = Code::invalid_argument,
                 .what = "experiment '" + clean_line(request.experiment, 80) + "' is not a plain name",
                 .next_step = "use letters, digits, dots, dashes and underscores, at most 64"});
  if (request.command.empty() || request.command.find('\n') != std::string::npos)
    return fail({.code = Code::invalid_argument, .what = "command must be one line", .next_step = "put several steps into a script of the project"});
  auto shell = reach(d, rental, caller.stop);
  if (!shell) return fail(std::move(shell).error());

  const std::string script = run_script(request);
  const std::string fingerprint = sha256_hex(script).substr(0, 16);
  Job job{rental.label, request.experiment, request.command, request.auto_destroy, JobState::starting, {}, d.clock.now(), {}};
  if (auto noted = d.ledger.put_job(job); !noted) return fail(std::move(noted).error());
  auto sent = (*shell)->put(job_folder(request.experiment) + "/run.next", script, 0755, caller.stop);
  if (!sent) return fail(std::move(sent).error().during("sending the job"));
  auto started = (*shell)->exec(start_script(request.experiment, fingerprint), {}, caller.stop);
  if (!started) return fail(std::move(started).error().during("starting the job"));
  const std::string_view word = trim(started->out);
  if (word == "other")
    return fail({.code = Code::wrong_state,
                 .what = "another command is running as " + request.experiment,
                 .next_step = "wait for it (monitor), or choose another experiment name"});
  if (word != "started" && word != "already")
    return fail({.code = Code::unavailable,
                 .what = "screen did not start the job: " + clean_line(started->err + started->out, 300),
                 .next_step = "is screen installed? call setup, then run again"});
  job.state = JobState::running;
  if (auto noted = d.ledger.put_job(job); !noted) return fail(std::move(noted).error());
  log_fact("job label=", rental.label, " experiment=", job.experiment, " ", std::string(word));
  return job;
}

Result<void> stop_job(Shell& shell, const std::string& experiment, std::stop_token stop) {
  const std::string folder = job_folder(experiment);
  // The whole session of the job, leader included; an exit code of 143 is written here since its shell is gone by then.
  const std::string script =
      "pid=$(cat " + folder + "/pid 2>/dev/null); s=$(ps -o sid= -p \"${pid:-0}\" 2>/dev/null | tr -d ' ')\n"
      "[ -n \"$s\" ] && pkill -TERM -s $s\n"
      "i=0; while [ -n \"$s\" ] && pgrep -s $s >/dev/null && [ $i -lt 100 ]; do i=$((i+1)); /bin/sleep 0.1; done\n"
      "[ -n \"$s\" ] && pkill -KILL -s $s\n"
      "screen -S " + experiment + " -X quit >/dev/null 2>&1\n"
      "[ -e " + folder + "/exit ] || { date +%s >" + folder + "/ended; echo 143 >" + folder + "/exit; }\n"
      "screen -ls 2>/dev/null | grep -q '[0-9][.]" + experiment + "[[:space:]]' && exit 1 || exit 0\n";
  auto done = shell.exec(script, {}, std::move(stop));
  if (!done) return fail(std::move(done).error().during("stopping experiment " + experiment));
  if (done->exit_code != 0)
    return fail({.code = Code::unavailable, .what = "experiment " + experiment + " could not be stopped", .next_step = "try again"});
  return {};
}

Result<MachineLook> look_at(const Deps& d, const Rental& rental, Shell& shell, int lines, std::stop_token stop) {
  auto jobs = d.ledger.jobs(rental.label);
  if (!jobs) return fail(std::move(jobs).error());
  auto answer = shell.exec(look_script(*jobs, std::clamp(lines, 0, 500)), {}, stop);
  if (!answer) return fail(std::move(answer).error().during("looking at the machine"));

  // Parts by mark. A log line that imitates a mark can only confuse the display of its own job.
  std::map<std::string, std::string> parts;
  const std::string separator = "\n" + std::string(kMark);
  for (std::size_t at = answer->out.find(separator); at != std::string::npos;) {
    const std::size_t name_from = at + separator.size();
    const std::size_t name_to = answer->out.find('\n', name_from);
    if (name_to == std::string::npos) break;
    const std::size_t following = answer->out.find(separator, name_to);
    parts.try_emplace(answer->out.substr(name_from, name_to - name_from),
                      answer->out.substr(name_to + 1, following == std::string::npos ? std::string::npos : following - name_to - 1));
    at = following;
  }

  MachineLook look;
  look.gpu = gpu_words(parts["gpu"]);
  std::optional<TimePoint> now;
  if (const auto s = number_after("=" + parts["now"], "=")) now = at_seconds(*s);
  if (const auto used = split(parts["disk"], '\n'); used.size() > 1)
    look.disk = fixed(std::atof(used[1].c_str()) * 1024 / 1e9, 2) + " of " + fixed(rental.disk.value, 0) + " GB used";
  {
    std::istringstream guard(parts["guard"]);
    std::int64_t seen = 0, end = 0;
    std::string key;
    if (guard >> seen >> end >> key) {
      look.guard_seen = at_seconds(seen);
      look.guard_end = at_seconds(end);
      look.guard_has_key = key == "key";
    }
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
    read_job(one, parts["job " + one.job.experiment], now);
    if (one.job.state != before.state || one.job.exit_code != before.exit_code)
      if (auto noted = d.ledger.put_job(one.job); !noted) return fail(std::move(noted).error());
    look.jobs.push_back(std::move(one));
  }
  for (const std::string& name : sessions) look.foreign_screens.push_back(clean_line(name, 64));
  return look;
}

}  // namespace vastgpu
