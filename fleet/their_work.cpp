#include "fleet/their_work.h"

#include <algorithm>

#include "core/json.h"
#include "core/text.h"

namespace vastgpu {
namespace {

constexpr std::size_t kMostState = 400'000;  // bytes of one state file: some thousand jobs
constexpr auto kOver = std::chrono::minutes(30);
constexpr int kMostAlerts = 3;

void count(TheirQueue& q, const json& job) {
  const std::string status = read_field<std::string>(job, "status").value_or("");
  if (status == "pending")
    ++q.pending;
  else if (status == "running")
    ++q.running;
  else if (status == "completed")
    ++q.completed;
  else if (status == "stuck")
    ++q.stuck;
  else if (status.starts_with("failed"))
    ++q.failed;
}

}  // namespace

bool TheirQueue::open() const {
  if (pending > 0 || running > 0) return true;
  return (failed > 0 || !readable) && (!unchanged || *unchanged < Duration(kOver));
}

bool TheirWork::open() const { return std::ranges::any_of(queues, &TheirQueue::open); }

std::string their_work_script() {
  // The age is told by the machine, so that no two clocks are compared.
  return "n=0; for s in $(ls -t \"${HOME:-/root}\"/.aris_queue/runs/*/queue_state.json 2>/dev/null | head "
         "-n " +
         std::to_string(kTheirQueues) +
         "); do mark theirs $n; n=$((n+1)); d=${s%/*}; echo \"$(($(date +%s) - $(date -r $s +%s))) "
         "${d##*/}\"; "
         "[ -f $s ] && head -c " +
         std::to_string(kMostState) +
         " $s; done\n"
         "mark watchdog; w=/tmp/aris-watchdog; [ -d $w ] && { echo here; [ -f $w/alerts.log ] && tail -n " +
         std::to_string(kMostAlerts) + " $w/alerts.log | head -c 2000; }\n";
}

std::optional<TheirQueue> read_their_queue(std::string_view part) {
  const auto end = std::min(part.find('\n'), part.size());
  const std::string first(part.substr(0, end));
  const auto space = first.find(' ');
  if (space == std::string::npos) return std::nullopt;
  TheirQueue q;
  q.run = clean_line(trim(first.substr(space + 1)), 64);
  char* stop = nullptr;
  const double age = std::strtod(first.c_str(), &stop);
  if (stop != first.c_str() && age >= 0 && age < 1e9)
    q.unchanged = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(age));
  const auto state = parse_json(part.substr(std::min(end + 1, part.size())), "queue_state.json");
  q.readable = state && state->is_object() && state->contains("jobs");
  if (!q.readable) return q;
  const json& jobs = (*state)["jobs"];
  if (jobs.is_array() || jobs.is_object())
    for (const json& job : jobs) count(q, job);
  else
    q.readable = false;
  return q;
}

void read_watchdog(std::string_view part, TheirWork& into) {
  bool first = true;
  for (const std::string& line : split(part, '\n')) {
    if (std::exchange(first, false))
      into.watchdog = trim(line) == "here";
    else if (into.watchdog && !trim(line).empty() && into.alerts.size() < kMostAlerts)
      into.alerts.push_back(clean_line(line, 300));
  }
}

std::string to_words(const TheirQueue& q) {
  std::string words = "their queue " + q.run + ": ";
  if (!q.readable) return words + "its state cannot be read";
  std::vector<std::string> counts;
  const auto say = [&](int n, const char* what) {
    if (n > 0) counts.push_back(text(n, " ", what));
  };
  say(q.pending, "pending"), say(q.running, "running"), say(q.completed, "completed");
  say(q.failed, "failed"), say(q.stuck, "stuck");
  return words + (counts.empty() ? "no jobs" : join(counts, ", "));
}

}  // namespace vastgpu
