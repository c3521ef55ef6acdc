#include "fleet/findings.h"

#include <algorithm>
#include <array>

#include "core/text.h"
#include "fleet/log_facts.h"

namespace vastgpu {
namespace {

constexpr int kResting = 5;                          // percent; a desktop or a monitor takes some
constexpr auto kIdleFor = std::chrono::minutes(10);  // a validation or a checkpoint takes less
constexpr auto kStallsAfter = std::chrono::minutes(10);
constexpr int kStallsBeyond = 5;                    // times the longest silence it ever had
constexpr auto kAsksFor = std::chrono::minutes(1);  // a prompt that stands so long waits
constexpr std::size_t kFewest = 5;                  // readings that make a trend
constexpr auto kDiskTrend = std::chrono::minutes(5);
constexpr Hours kDiskSoon{3};
constexpr std::uint64_t kDiskFull = 500'000'000;  // bytes: a checkpoint does not fit any more
constexpr int kMany = 3;                          // readings in a row are no accident

std::string minutes(Duration d) { return hours(std::chrono::duration_cast<Hours>(d)); }

Finding finding(const char* kind, Severity severity, std::string evidence, std::string advice) {
  return {{}, kind, severity, std::move(evidence), std::move(advice)};
}

/// Since when no GPU of `gpus` was busy; nothing when the last reading shows one at work, or nothing is
/// known.
std::optional<TimePoint> resting_since(const std::vector<Pulse>& pulses, const std::vector<int>& gpus) {
  std::optional<TimePoint> since;
  for (std::size_t i = pulses.size(); i > 0; --i) {
    for (const int gpu : gpus) {
      const auto at = pulses[i - 1].busy.find(gpu);
      if (at == pulses[i - 1].busy.end()) return since;
      if (at->second >= kResting) return since;
    }
    since = pulses[i - 1].at;
  }
  return since;
}

struct Rhythm {
  TimePoint grew{};    ///< when the log was last seen to have changed
  Duration longest{};  ///< the longest silence before that
};
Rhythm rhythm_of(const std::vector<Pulse>& pulses) {
  Rhythm r{pulses.front().at, {}};
  for (std::size_t i = 1; i < pulses.size(); ++i)
    if (pulses[i].log_size != pulses[i - 1].log_size) {
      r.longest = std::max(r.longest, pulses[i].at - r.grew);
      r.grew = pulses[i].at;
    }
  return r;
}

std::string busy_words(const Pulse& p, const std::vector<int>& gpus) {
  std::vector<std::string> words;
  for (const int gpu : gpus)
    if (const auto at = p.busy.find(gpu); at != p.busy.end())
      words.push_back(text("GPU ", gpu, " ", at->second, " %"));
  return join(words, ", ");
}

std::optional<Finding> one_at_rest(const std::vector<Pulse>& pulses, const std::vector<int>& gpus) {
  if (gpus.size() < 2) return std::nullopt;
  std::vector<int> idle;
  bool others_work = false;
  for (const int gpu : gpus) {
    const auto since = resting_since(pulses, {gpu});
    if (since && pulses.back().at - *since >= Duration(kIdleFor))
      idle.push_back(gpu);
    else
      others_work |= !since && pulses.back().busy.contains(gpu);
  }
  if (idle.empty() || !others_work) return std::nullopt;
  std::vector<std::string> names;
  for (const int gpu : idle) names.push_back(std::to_string(gpu));
  return finding(
      "one_gpu_idle", Severity::warning,
      text("GPU ", join(names, ", "), " of ", gpus.size(), " rested for at least ", minutes(kIdleFor),
           "; now ", busy_words(pulses.back(), gpus)),
      "start it with as many processes as GPUs (torchrun --nproc_per_node), or give it fewer GPUs");
}

std::optional<Finding> disk(const std::vector<Pulse>& pulses) {
  const Pulse &first = pulses.front(), &last = pulses.back();
  if (last.disk_free < kDiskFull)
    return finding("disk_full", Severity::bad, bytes(last.disk_free) + " are free",
                   "remove old checkpoints and caches on the machine; what is written now may be cut");
  const double span = std::chrono::duration<double>(last.at - first.at).count();
  if (pulses.size() < kFewest || last.at - first.at < Duration(kDiskTrend) ||
      first.disk_free <= last.disk_free)
    return std::nullopt;
  const double per_second = static_cast<double>(first.disk_free - last.disk_free) / span;
  const Hours left(static_cast<double>(last.disk_free) / per_second / 3600);
  if (left > kDiskSoon) return std::nullopt;
  return finding(
      "disk_filling", left < Hours(0.5) ? Severity::bad : Severity::warning,
      text(bytes(first.disk_free - last.disk_free), " were written in ", minutes(last.at - first.at), ", ",
           bytes(last.disk_free), " are free: full in about ", hours(left)),
      "keep fewer checkpoints (save_total_limit), or remove what is not needed on the machine");
}

/// How it ended.
void add_end(std::vector<Finding>& all, const JobLook& j) {
  const int code = j.job.exit_code.value_or(-1);
  if (j.job.state == JobState::finished) {
    all.push_back(finding("finished", Severity::info, "exit code 0", "collect its results"));
    return;
  }
  if (j.job.state == JobState::stopped) {
    all.push_back(
        finding("stopped", Severity::info, "it was asked to stop", "run with restart true starts it again"));
    return;
  }
  if (j.job.state == JobState::lost) {
    const bool restarted = j.job.note.starts_with("the container was restarted");
    all.push_back(finding(restarted ? "container_restarted" : "lost", Severity::bad, j.job.note,
                          "run with restart true starts it again; its files are still there"));
    return;
  }
  if (const std::string line = out_of_memory_line(j.window); !line.empty())
    all.push_back(finding("out_of_gpu_memory", Severity::bad, line,
                          "a smaller batch, gradient checkpointing, or a card with more memory (provision)"));
  if (code == 137 && j.oom_kills.value_or(0) > 0)
    all.push_back(finding("out_of_host_memory", Severity::bad,
                          text("exit code 137, and the container's memory limit killed ", *j.oom_kills,
                               " process(es) meanwhile"),
                          "fewer data loader workers, or a machine with more RAM"));
  else if (code == 137)
    all.push_back(
        finding("killed", Severity::bad,
                std::string("exit code 137: killed by signal 9; ") +
                    (j.oom_kills ? "the container's memory limit killed nothing meanwhile"
                                 : "the container does not count such kills"),
                "most often the host ran out of memory: fewer workers, or a machine with more RAM"));
  const std::string block = error_block(j.window);
  const std::string words = exit_words(code);
  // The last line of a traceback says what went wrong.
  const std::string last = block.starts_with("Traceback") ? block.substr(block.rfind('\n') + 1) : "";
  all.push_back(
      finding("failed", Severity::bad,
              text("exit code ", code, words.empty() ? "" : ": " + words, last.empty() ? "" : ": " + last) +
                  (block.empty() ? "; its log shows no error" : "\n" + block),
              "correct it, call setup so that the new code travels, then run again"));
}

}  // namespace

const char* to_string(Severity s) {
  return std::array{"info", "warning", "bad"}[static_cast<std::size_t>(s)];
}

void to_json(json& j, const Finding& f) {
  j = {{"kind", f.kind}, {"severity", to_string(f.severity)}, {"evidence", f.evidence}, {"advice", f.advice}};
  j["experiment"] = f.experiment.empty() ? json(nullptr) : json(f.experiment);
}

std::vector<int> gpu_numbers(const std::string& gpus, int num_gpus) {
  std::vector<int> numbers;
  if (gpus == kNoGpus) return numbers;
  if (gpus.empty() || gpus == "all") {
    for (int i = 0; i < num_gpus; ++i) numbers.push_back(i);
    return numbers;
  }
  for (const std::string& word : split(gpus, ','))
    if (!word.empty() && word.size() < 4 && word.find_first_not_of("0123456789") == std::string::npos)
      numbers.push_back(std::atoi(word.c_str()));
  return numbers;
}

std::vector<Finding> pulse_findings(const std::vector<Pulse>& pulses, const std::vector<int>& gpus,
                                    TimePoint now) {
  std::vector<Finding> all;
  if (pulses.empty()) return all;
  if (auto found = disk(pulses)) all.push_back(*std::move(found));
  const auto rests = gpus.empty() ? std::nullopt : resting_since(pulses, gpus);
  const bool gpus_known = !gpus.empty() && !pulses.back().busy.empty();
  const Rhythm rhythm = rhythm_of(pulses);
  const Duration silent = now - rhythm.grew;
  const Duration patience =
      std::max(Duration(kStallsAfter), kStallsBeyond * rhythm.longest) * (gpus_known ? 1 : 3);
  const bool rests_long = rests && now - *rests >= Duration(kIdleFor);
  if (silent >= patience && (rests_long || !gpus_known)) {
    all.push_back(finding("stalled", gpus_known ? Severity::bad : Severity::warning,
                          text("its log did not grow for ", minutes(silent),
                               ", before that never longer than ", minutes(rhythm.longest),
                               gpus_known ? "; no GPU of it was busy since " + to_iso8601(*rests)
                                          : "; nothing is known of its GPUs"),
                          "look at its screen session; often a deadlocked data loader or a rank that died: "
                          "run with restart true"));
  } else if (rests_long) {
    all.push_back(
        finding("gpu_idle", Severity::warning,
                text("no GPU of it was busy for ", minutes(now - *rests), " while its log goes on; now ",
                     busy_words(pulses.back(), gpus)),
                "the GPU waits: for data, a download or the CPU; more data loader workers, or data on "
                "the machine's own disk"));
  } else if (auto found = one_at_rest(pulses, gpus)) {
    all.push_back(*std::move(found));
  }
  return all;
}

std::vector<Finding> findings_of(const JobLook& j, const FindingTerms& t) {
  std::vector<Finding> all;
  const bool runs = j.job.state == JobState::running;
  if (j.job.state == JobState::queued)
    all.push_back(finding("queued", Severity::info, j.job.note.empty() ? "it waits for GPUs" : j.job.note,
                          "it starts by itself; run with stop true takes it out"));
  else if (!is_open(j.job.state))
    add_end(all, j);
  if (const auto loss = bad_loss(j.window); loss && j.job.state != JobState::queued)
    all.push_back(finding(
        loss->infinite ? "inf_loss" : "nan_loss", loss->in_a_row >= kMany ? Severity::bad : Severity::warning,
        text(loss->name, ", ", loss->in_a_row, " reading(s) in a row: ", loss->line),
        "stop it, and look at the learning rate, the data and the precision (bf16 in place of "
        "fp16); go on from a checkpoint of before"));
  if (runs) {
    if (const std::string line = out_of_memory_line(j.window); !line.empty())
      all.push_back(finding("out_of_gpu_memory", Severity::warning, "it goes on after: " + line,
                            "if it retries with a smaller batch that is slower than it need be"));
    for (Finding& f : pulse_findings(j.pulses, gpu_numbers(j.gpus, t.num_gpus), t.machine_now))
      all.push_back(std::move(f));
    const std::string question = open_question(j.window);
    const TimePoint grew = j.pulses.empty() ? TimePoint::max() : rhythm_of(j.pulses).grew;
    if (!question.empty() && !j.pulses.empty() && j.pulses.back().log_size == j.log_size &&
        t.machine_now - grew >= Duration(kAsksFor))
      all.push_back(
          finding("waiting_for_input", Severity::bad, question,
                  "nobody answers it there: pass the answer in the command, as a setting or by env, and "
                  "run with restart true"));
    if (t.eta && t.lease_left && *t.eta > *t.lease_left)
      all.push_back(finding("lease_too_short", Severity::bad,
                            text("about ", hours(*t.eta), " are left to do, but the lease ends in ",
                                 hours(std::max(*t.lease_left, Hours(0)))),
                            "call extend; say the price first"));
  }
  for (Finding& f : all) f.experiment = j.job.experiment;
  std::ranges::stable_sort(all, std::greater{}, &Finding::severity);
  return all;
}

}  // namespace vastgpu
