// What a machine says about its jobs, taken apart: states, logs that are followed over rotations, pulses,
// queues.

#include "fleet/findings.h"
#include "fleet/job_files.h"
#include "fleet/job_reading.h"
#include "tests/support/catch.h"

using namespace vastgpu;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

const TimePoint kNow{seconds(1'800'000'000)};

Job job(JobState state) {
  Job j;
  j.label = "vg-a", j.experiment = "e1", j.command = "python t.py", j.state = state,
  j.started = kNow - minutes(30);
  return j;
}

std::string facts_of(const Job& j, const std::string& exit, int beat_age, const std::string& rest = "") {
  return "exit=" + exit + " beat=" + std::to_string(1'800'000'000 - beat_age) +
         "; began=1799998200; ended= turn=abc-" + turn_of(j) + "; size=10 stopped=" + rest + " vram=";
}

JobLook read(const Job& j, const std::string& facts, bool screen, const std::string& container = "boot-1 100",
             const QueueLook& queue = {}) {
  JobLook look;
  look.job = j, look.screen_alive = screen;
  read_job(look, facts, "line\n", {10, kNow, {}, kNow, container, &queue});
  return look;
}

std::vector<Pulse> pulses(int n, const std::vector<int>& busy, bool grows,
                          std::uint64_t free = 100'000'000'000, std::uint64_t eaten = 0) {
  std::vector<Pulse> all;
  for (int i = 0; i < n; ++i) {
    Pulse p;
    p.at = kNow - minutes(n - 1 - i);
    p.log_size = grows ? static_cast<std::uint64_t>(i) * 100 : 5;
    p.disk_free = free - eaten * static_cast<std::uint64_t>(i);
    for (std::size_t g = 0; g < busy.size(); ++g) p.busy[static_cast<int>(g)] = busy[g];
    all.push_back(p);
  }
  return all;
}

std::vector<std::string> kinds(const std::vector<Finding>& all) {
  std::vector<std::string> words;
  for (const Finding& f : all) words.push_back(f.kind);
  return words;
}

}  // namespace

TEST_CASE(
    "a job without an exit code is lost at once when its container was restarted, else only after silence") {
  const Job j = job(JobState::running);
  const auto restarted = read(j, facts_of(j, "", 60, " box=boot-0; gpus=all; killed="), false);
  CHECK(restarted.job.state == JobState::lost);
  CHECK(restarted.job.note.starts_with("the container was restarted under it at "));
  CHECK(restarted.job.note.find(to_iso8601(kNow - seconds(60))) !=
        std::string::npos);  // not before its last heartbeat
  CHECK(read(j, facts_of(j, "", 20, " box=boot-1; gpus=all; killed="), false).job.state == JobState::running);
  const auto silent = read(j, facts_of(j, "", 600, " box=boot-1; gpus=all; killed="), false);
  CHECK(silent.job.state == JobState::lost);
  CHECK(silent.job.note.find("screen session is gone") != std::string::npos);
  CHECK(read(j, facts_of(j, "", 600, " box=boot-1; gpus=all; killed="), true).job.state == JobState::running);
  CHECK(read(j, "", false).job.state == JobState::running);  // the answer was cut: nothing is known
}

TEST_CASE("ended, stopped, queued") {
  const Job j = job(JobState::running);
  CHECK(read(j, facts_of(j, "0;", 5), false).job.state == JobState::finished);
  CHECK(read(j, facts_of(j, "3;", 5), false).job.state == JobState::failed);
  CHECK(read(j, facts_of(j, "143;", 5, "1 box="), false).job.state == JobState::stopped);
  QueueLook queue;
  queue.waiting = {"e0", "e1"};
  const auto waits = read(job(JobState::starting), facts_of(j, "", 5), false, "boot-1 1", queue);
  CHECK((waits.job.state == JobState::queued && waits.queue_place == 2));
  JobLook late;
  late.job = job(JobState::queued);
  read_job(late, facts_of(j, "", 5), "", {10, kNow, {}, kNow, "boot-1 1", &queue, true});
  CHECK((late.job.state == JobState::lost &&
         late.job.note.find("lease ended before its turn") != std::string::npos));
  CHECK(read(j, facts_of(j, "137;", 5, " box=b; gpus=0,1; killed=1; killed_end=3;"), false).oom_kills == 2);
  CHECK(read(j, facts_of(j, "", 5, " box=b; gpus=0,1; killed="), true).gpus == "0,1");
}

TEST_CASE("a log is followed by its bytes, over growth, gaps, truncation and rotation") {
  LogFollow log;
  follow_log(log, "7 0\none\ntwo\n", "");
  CHECK((log.window == "one\ntwo\n" && log.fresh == 8 && log.place == LogPlace{7, 8}));
  follow_log(log, "7 8\nthree", "");
  CHECK((log.window == "one\ntwo\nthree" && log.place.at == 13 && !log.rotated));
  follow_log(log, "7 100\nfar", "");  // more than one look brings
  CHECK((log.skipped == 87 && log.window.ends_with("\nfar")));
  follow_log(log, "7 0\nnew", "");  // cut to nothing and written again
  CHECK((log.rotated && log.window.ends_with("farnew") && log.place == LogPlace{7, 3}));
  follow_log(log, "8 0\nnext\n", "tail\n");
  CHECK((log.window.ends_with("newtail\nnext\n") && log.place == LogPlace{8, 5}));
  follow_log(log, "", "");  // no log at the moment
  follow_log(log, "x y\nz", "");
  CHECK(log.place == LogPlace{8, 5});

  LogFollow bytes_alone{{0, 4}, {}, 0, 0, false};
  follow_log(bytes_alone, "7 0\none\ntwo\n", "");
  CHECK((bytes_alone.fresh == 4 && !bytes_alone.rotated && bytes_alone.place == LogPlace{7, 8}));

  LogFollow later{
      {7, 6}, {}, 0, 0, false};  // from an earlier answer: the lines before it are there for context only
  follow_log(later, "7 2\nold new", "");
  CHECK((later.window == "old new" && later.fresh == 3));
  follow_log(later, "7 9\n" + std::string(100'000, 'x'), "");
  CHECK((later.window.size() == kMostWindow && later.fresh == kMostWindow));
}

TEST_CASE("a bar is worth its last state, and a log cannot imitate our marks") {
  CHECK(last_states("a\r b\r c\nd\r\n\n") == " c\nd");
  // What is too long loses its beginning: the newest lines count. Never half a character.
  CHECK(last_states(std::string(50, 'x') + "\n" + "last", 10) == "xxxxx\nlast");
  CHECK(last_states("aé\nlast", 6) == "\nlast");
  const auto parts = parts_of("\n@@m job e1\nexit=\n@@x log e1\n\n@@m log e1\n7 0\n@@m\n@@x end", "@@m ");
  CHECK(parts.at("job e1") == "exit=\n@@x log e1\n");
  CHECK_FALSE(parts.contains("end"));
}

TEST_CASE("pulses that cannot be are left out") {
  const auto all = read_pulses(
      "1800000000 10 500 0:83 1:0\nrubbish\n1800000060 20 400 0:101\n1800000060 20 400 0:12\n"
      "-5 1 1\n1800000120 99999999999999999999 1\n");
  REQUIRE(all.size() == 2);
  CHECK((all[0].busy == std::map<int, int>{{0, 83}, {1, 0}} && all[0].disk_free == 512'000));
  CHECK(read_pulses("1800000060 1 1\n1800000000 2 1\n").size() == 1);  // its clock went back
}

TEST_CASE("stalled, idle, one idle, disk: each needs its readings") {
  CHECK(kinds(pulse_findings(pulses(30, {0}, false), {0}, kNow)) == std::vector<std::string>{"stalled"});
  CHECK(kinds(pulse_findings(pulses(30, {90}, false), {0}, kNow)).empty());  // silent, but at work
  CHECK(kinds(pulse_findings(pulses(30, {0}, true), {0}, kNow)) == std::vector<std::string>{"gpu_idle"});
  CHECK(kinds(pulse_findings(pulses(30, {90, 0}, true), {0, 1}, kNow)) ==
        std::vector<std::string>{"one_gpu_idle"});
  CHECK(kinds(pulse_findings(pulses(30, {90, 0}, true), {0}, kNow)).empty());  // the other is not its own
  CHECK(kinds(pulse_findings(pulses(6, {0}, false), {0}, kNow)).empty());      // too early to say
  CHECK(kinds(pulse_findings(pulses(30, {0}, true), {}, kNow)).empty());       // it uses no GPU
  CHECK(
      kinds(pulse_findings(pulses(20, {}, false), {0}, kNow)).empty());  // nothing known of GPUs: 30 minutes
  CHECK(kinds(pulse_findings(pulses(40, {}, false), {0}, kNow)) == std::vector<std::string>{"stalled"});
  CHECK(kinds(pulse_findings(pulses(10, {90}, true, 20'000'000'000, 1'000'000'000), {0}, kNow)) ==
        std::vector<std::string>{"disk_filling"});
  CHECK(kinds(pulse_findings(pulses(10, {90}, true, 100'000'000, 0), {0}, kNow)) ==
        std::vector<std::string>{"disk_full"});
  CHECK(pulse_findings({}, {0}, kNow).empty());
  auto slow = pulses(60, {0}, false);  // a log line every 8 minutes is its rhythm
  for (std::size_t i = 0; i < 48; ++i) slow[i].log_size = i / 8;
  for (std::size_t i = 48; i < 60; ++i) slow[i].log_size = 5;
  CHECK(kinds(pulse_findings(slow, {0}, kNow)) == std::vector<std::string>{"gpu_idle"});
}

TEST_CASE("how a job ended is said with what shows it") {
  JobLook look;
  look.job = job(JobState::failed), look.job.exit_code = 1;
  look.window = "step 1\ntorch.OutOfMemoryError: CUDA out of memory. Tried to allocate 9.00 GiB.\n";
  CHECK(kinds(findings_of(look, {1, {}, {}, kNow})) ==
        std::vector<std::string>{"out_of_gpu_memory", "failed"});
  look.job.exit_code = 137, look.window = "step 1\n", look.oom_kills = 1;
  CHECK(kinds(findings_of(look, {1, {}, {}, kNow})) ==
        std::vector<std::string>{"out_of_host_memory", "failed"});
  look.oom_kills = 0;
  CHECK(kinds(findings_of(look, {1, {}, {}, kNow})) == std::vector<std::string>{"killed", "failed"});
  look.job.state = JobState::finished, look.job.exit_code = 0;
  look.window = "Traceback (most recent call last):\nKeyError: handled\nloss: 0.2\n";
  CHECK(kinds(findings_of(look, {1, {}, {}, kNow})) == std::vector<std::string>{"finished"});
  look.job.state = JobState::running;
  CHECK(findings_of(look, {1, {}, {}, kNow}).empty());
  CHECK(kinds(findings_of(look, {1, Hours(3), Hours(1), kNow})) ==
        std::vector<std::string>{"lease_too_short"});
  look.window = "Proceed ([y]/n)? ", look.pulses = pulses(3, {0}, false), look.log_size = 5;
  CHECK(kinds(findings_of(look, {1, {}, {}, kNow})) == std::vector<std::string>{"waiting_for_input"});
}

TEST_CASE("the queue of a machine and the books of others, as they may stand there") {
  const auto queue = read_queue(
      "000000000001-a-b\n000000000012-000000000001-b\nlock\nwhy\n00000000000x-c\n000000000003-../x\n"
      "why 1 of 2 GPUs are free\n000000000009-late\n");
  CHECK(queue.waiting == std::vector<std::string>{"a-b", "000000000001-b"});
  CHECK(queue.why == "1 of 2 GPUs are free");

  const auto theirs = read_their_queue(
      "120 20261002T081500Z\n"
      R"({"meta": {"project": "x"}, "phases": [{"status": "pending"}], "jobs": {"a": {"status": "pending"},
      "b": {"status": "running"}, "c": {"status": "completed"}, "d": {"status": "failed_other"}, "e": {"status": "stuck"}}})");
  REQUIRE(theirs);
  CHECK((theirs->pending == 1 && theirs->running == 1 && theirs->completed == 1 && theirs->failed == 1 &&
         theirs->stuck == 1));
  CHECK(theirs->open());
  const std::string over =
      R"({"jobs": [{"id": "a", "status": "completed"}, {"id": "b", "status": "failed_other"}]})";
  CHECK(read_their_queue("60 r\n" + over)->open());  // older managers try again
  CHECK_FALSE(read_their_queue("3600 r\n" + over)->open());
  CHECK(read_their_queue("60 r\n{\"jobs\": ")->open());  // cut while it is written
  CHECK_FALSE(read_their_queue("9000 r\nrubbish")->open());
  CHECK_FALSE(read_their_queue("60 r\n{\"jobs\": []}")->open());
  CHECK_FALSE(read_their_queue(""));
}
