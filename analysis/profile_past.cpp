// What earlier jobs of this project measured.

#include <algorithm>
#include <cmath>

#include "analysis/profile_builder.h"
#include "core/text.h"

namespace vastgpu {
namespace {

constexpr double kMeasuredHeadroom = 1.15;  // sampled every few seconds: a spike between two looks is missed
constexpr double kOtherWork = 1.3;

/// Commands may hold what nobody should read again: the job's name and card are enough.
std::string source_of(const PastRun& run) {
  return "earlier job " + clean_line(run.experiment, 60) + " on " + clean_line(run.gpu_name, 40) + ", " +
         to_iso8601(run.ended).substr(0, 10);
}

}  // namespace

const PastRun* ProfileBuilder::past_like_this(bool finished) const {
  const PastRun* newest = nullptr;
  for (const PastRun& run : request_.past_runs) {
    if (finished && (run.exit_code != 0 || !run.hours || run.hours->count() <= 0)) continue;
    const bool same_script = program_.script.empty() || run.script.empty() || run.script == program_.script;
    if (!same_script) continue;
    if (newest == nullptr || run.ended > newest->ended) newest = &run;
  }
  return newest;
}

std::optional<Evidence> ProfileBuilder::past_memory() {
  // The most that any of the same script took: a variant may need as much again.
  const PastRun* most = nullptr;
  for (const PastRun& run : request_.past_runs) {
    const bool same_script = program_.script.empty() || run.script.empty() || run.script == program_.script;
    if (!same_script) continue;
    if (run.oom && run.gpu_ram && need_ && need_->memory.safe.value < to_gibibytes(*run.gpu_ram).value) {
      const double more = to_gibibytes(*run.gpu_ram).value * 1.05;
      warn(source_of(run) + " ran out of memory with " + fixed(to_gibibytes(*run.gpu_ram).value, 0) +
           " GiB: at least " + fixed(more, 0) + " GiB are asked for now");
      need_->memory.safe.value = std::max(need_->memory.safe.value, more);
      need_->memory.likely.value = std::max(need_->memory.likely.value, to_gibibytes(*run.gpu_ram).value);
    }
    if (!run.peak_vram || run.oom) continue;
    if (most == nullptr || *run.peak_vram > *most->peak_vram) most = &run;
  }
  if (most == nullptr) return std::nullopt;
  const double gib = to_gibibytes(*most->peak_vram).value;
  Evidence e =
      witness("vram_gib", gib, source_of(*most) + " (measured)", rank::kMeasured, false, kMeasuredHeadroom);
  if (need_ && need_->of_rank == rank::kUser && need_->memory.likely.value > kOtherWork * gib) {
    e.rank = rank::kNamedCard;  // what is asked for now is larger than what ran then
    warn(source_of(*most) + " took " + fixed(gib, 1) + " GiB, but what is asked for now seems larger");
  }
  return e;
}

std::optional<Evidence> ProfileBuilder::past_hours() {
  const PastRun* run = past_like_this(true);
  const GpuModel* then = run == nullptr ? nullptr : find_gpu(run->gpu_name);
  const GpuModel* now = find_gpu(profile_.reference_gpu);
  if (run == nullptr) return std::nullopt;
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
