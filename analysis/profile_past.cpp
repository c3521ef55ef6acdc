// What earlier jobs of this project measured.

#include <algorithm>
#include <cmath>

#include "analysis/profile_builder.h"
#include "core/text.h"

namespace vastgpu {
namespace {

constexpr double kMeasuredHeadroom = 1.15;  // sampled every few seconds: a spike between two looks is missed
constexpr double kOverDeadCard = 1.05;      // asked for after a run died of its card's size
// How much larger a task must look than what ran before it counts as another one: a computation is nearer to
// the truth than a rule of thumb.
constexpr double kLargerComputed = 1.3;
constexpr double kLargerByRule = 2;
constexpr int kStopped = 143;  // ended on request: what it held until then was real

// The ledger is a file that others may have written: what no machine can have is as if nobody had measured
// it.
bool possible(const std::optional<Megabytes>& m) {
  return m && std::isfinite(m->value) && m->value > 0 && m->value <= 1024 * 1024;
}
bool possible(const std::optional<Hours>& h) {
  return h && std::isfinite(h->count()) && h->count() > 0 && h->count() <= 1e5;
}

/// Commands may hold what nobody should read again: the job's name and card are enough.
std::string source_of(const PastRun& run) {
  return "earlier job " + clean_line(run.experiment, 60) + " on " + clean_line(run.gpu_name, 40) + ", " +
         to_iso8601(run.ended).substr(0, 10);
}

}  // namespace

bool ProfileBuilder::ran_this(const PastRun& run) const {
  return program_.script.empty() || run.script.empty() || run.script == program_.script;
}

const PastRun* ProfileBuilder::newest_finished() const {
  const PastRun* newest = nullptr;
  for (const PastRun& run : request_.past_runs)
    if (ran_this(run) && run.exit_code == 0 && !run.oom && possible(run.hours) &&
        (newest == nullptr || run.ended > newest->ended))
      newest = &run;
  return newest;
}

std::optional<Evidence> ProfileBuilder::past_memory() {
  // The most that any of the same script took: a variant may need as much again. One that failed may not have
  // come to its peak.
  const PastRun* most = nullptr;
  for (const PastRun& run : request_.past_runs) {
    if (!ran_this(run) || run.oom || !possible(run.peak_vram)) continue;
    const bool ran_on = run.exit_code == 0 || run.exit_code == kStopped;
    if (!ran_on && need_ && to_gibibytes(*run.peak_vram) < need_->memory.likely) continue;
    if (most == nullptr || *run.peak_vram > *most->peak_vram) most = &run;
  }
  if (most == nullptr) return std::nullopt;
  const double gib = to_gibibytes(*most->peak_vram).value;
  const bool asked_now =
      need_ && (need_->of_rank == rank::kUser ||
                said_by_user({"batch", "seq", "res", "method", "bits", "opt", "params_b", "gc"}));
  if (asked_now && need_->memory.likely.value > (need_->by_rule ? kLargerByRule : kLargerComputed) * gib) {
    warn(source_of(*most) + " took " + fixed(gib, 1) + " GiB, but what is asked for now seems larger");
    return std::nullopt;
  }
  return witness("vram_gib", gib, source_of(*most) + " (measured)", rank::kMeasured, false,
                 kMeasuredHeadroom);
}

std::optional<Evidence> ProfileBuilder::above_dead_cards(const Evidence& chosen) {
  const PastRun* fine = newest_finished();
  const PastRun* largest = nullptr;
  for (const PastRun& run : request_.past_runs) {
    if (!run.oom || !ran_this(run) || !possible(run.gpu_ram)) continue;
    if (fine != nullptr && fine->ended > run.ended) continue;  // since then it was made to fit
    if (largest == nullptr || *run.gpu_ram > *largest->gpu_ram) largest = &run;
  }
  if (largest == nullptr) return std::nullopt;
  const double card = to_gibibytes(*largest->gpu_ram).value;
  if (chosen.value.get<double>() * chosen.headroom >= card * kOverDeadCard) return std::nullopt;
  const std::string what = source_of(*largest) + " ran out of memory with " + fixed(card, 0) + " GiB";
  if (chosen.rank == rank::kUser) {
    warn(what + ": what you ask for is no more than that");
    return std::nullopt;
  }
  warn(what + ": more is asked for now; if it became smaller since, say vram_gib");
  Evidence e = witness("vram_gib", card, what, rank::kMeasured, true, kOverDeadCard);
  e.overruled = chosen.overruled;
  e.overruled.push_back(chosen.source + ": " + shown(chosen));
  return e;
}

std::optional<Evidence> ProfileBuilder::past_hours() {
  const PastRun* run = newest_finished();
  if (run == nullptr) return std::nullopt;
  const GpuModel* then = find_gpu(run->gpu_name);
  const GpuModel* now = find_gpu(profile_.reference_gpu);
  double ratio = 1;
  if (then != nullptr && now != nullptr && then->relative_speed > 0 && now->relative_speed > 0)
    ratio = then->relative_speed / now->relative_speed;
  if (!profile_.scales_with_card) ratio = std::clamp(ratio, 0.8, 1.5);
  const double hours = run->hours->count() * ratio * std::max(1, run->num_gpus);
  if (!std::isfinite(hours) || hours <= 0 || hours > 1e6) return std::nullopt;
  return witness("gpu_hours", hours, source_of(*run) + " took " + fixed(run->hours->count(), 2) + " h",
                 rank::kMeasured, std::abs(ratio - 1) > 0.01);
}

}  // namespace vastgpu
