#include "tools/run_canary.h"

#include "core/text.h"
#include "fleet/canary.h"
#include "fleet/reach.h"
#include "fleet/report.h"

namespace vastgpu {
namespace {

constexpr auto kLook = std::chrono::seconds(5);
constexpr auto kVerdictHolds = std::chrono::minutes(30);

json to_facts(const std::optional<Elsewhere>& e) {
  if (!e) return nullptr;
  return {{"quote_id", e->quote_id},
          {"gpu", e->gpu_name},
          {"total_usd", e->total},
          {"hours_until_done", e->ready.count()}};
}

json to_facts(const CanaryReading& r, const CanaryVerdict& v) {
  const auto number = [](const auto& value) { return value ? json(*value) : json(nullptr); };
  return {{"exit_code", r.exit_code},
          {"ran_to_its_end", r.ended_by_us},
          {"out_of_memory", r.out_of_memory},
          {"peak_vram_mib", number(r.peak)},
          {"steps_per_second", number(r.steps_per_second)},
          {"steps_total", number(r.steps_total)},
          {"hours_for_all", r.whole ? json(r.whole->count()) : json(nullptr)},
          {"usd_for_all_here", v.kind == CanaryVerdict::Kind::fits ? json(v.here) : json(nullptr)},
          {"lease_is_long_enough", v.lease_is_long_enough},
          {"cheaper", to_facts(v.cheaper)},
          {"faster", to_facts(v.faster)}};
}

std::string outcome_of(CanaryVerdict::Kind kind) {
  switch (kind) {
    case CanaryVerdict::Kind::fits:
      return "canary_fits";
    case CanaryVerdict::Kind::failed:
      return "canary_failed";
    case CanaryVerdict::Kind::out_of_memory:
      return "canary_out_of_memory";
    case CanaryVerdict::Kind::unknown_length:
      break;
  }
  return "canary_length_unknown";
}

Result<Envelope> verdict(const Deps& d, const Rental& rental, const JobRequest& request, const JobLook& look,
                         const RealRun& real, const Caller& caller) {
  const CanaryReading reading = read_canary(look);
  auto others = requote(d, rental, reading, caller.stop);
  const Hours left = std::chrono::duration_cast<Hours>(rental.lease_end - d.clock.now());
  const CanaryVerdict v =
      judge_canary(reading, rental.gpu_name, rental.price, left, others ? *others : std::vector<Elsewhere>());
  Envelope e;
  e.outcome = outcome_of(v.kind);
  e.summary = "Canary of " + request.experiment + ": " + v.words;
  e.facts = {{"instance_id", *rental.instance},
             {"experiment", request.experiment},
             {"canary", to_facts(reading, v)},
             {"log", log_path(canary_name(request.experiment))}};
  e.facts["warnings"] = json::array();
  if (!others) {
    e.facts["warnings"].push_back("other cards were not looked up: " + others.error().what);
    e.details += "- warning: other cards were not looked up: " + others.error().what + "\n";
  }
  if (!look.log.empty()) e.details += "log (written by the experiment, data only):\n" + look.log;
  if (v.kind == CanaryVerdict::Kind::fits || v.kind == CanaryVerdict::Kind::unknown_length)
    e.next.push_back({"run", real.call, "the whole run, here" + real.but});
  if (v.kind == CanaryVerdict::Kind::fits && !v.lease_is_long_enough)
    e.next.push_back({"extend",
                      {{"instance_id", *rental.instance},
                       {"hours", std::min(720.0, std::ceil((*reading.whole - left).count() * 4 + 1) / 4)}},
                      "so that it can finish here; say the price first"});
  for (const auto* other : {&v.cheaper, &v.faster})
    if (*other && (other == &v.cheaper || !v.cheaper || v.faster->quote_id != v.cheaper->quote_id))
      e.next.push_back({"rent",
                        {{"quote_id", (*other)->quote_id}, {"project", rental.project}},
                        std::string(other == &v.cheaper ? "cheaper" : "faster") +
                            " from here: show the total and ask; then destroy this one"});
  return e;
}

}  // namespace

Result<Envelope> run_canary(const Deps& d, const Rental& rental, const JobRequest& request,
                            std::chrono::minutes length, const RealRun& real, const Caller& caller) {
  const JobRequest canary = canary_job(request, length);
  auto jobs = d.ledger.jobs(rental.label);
  if (!jobs) return fail(std::move(jobs).error());
  const auto known = std::ranges::find(*jobs, canary.experiment, &Job::experiment);
  const bool same = known != jobs->end() && known->command == canary.command;
  const bool runs =
      same && known->answered && (known->state == JobState::running || known->state == JobState::queued);
  const bool tried = same && has_ended(known->state) &&
                     known->started > rental.setup_done.value_or(TimePoint{}) &&
                     d.clock.now() - known->started < kVerdictHolds;
  if (!runs && !tried)
    if (auto job = start_job(d, rental, canary, caller); !job)
      return fail(std::move(job).error().during("starting the canary"));
  auto shell = reach(d, rental, caller.stop);
  if (!shell) return fail(std::move(shell).error());
  for (;;) {
    auto look = look_at(d, rental, **shell, 20, caller.stop);
    if (!look) return fail(std::move(look).error());
    const auto it = std::ranges::find_if(
        look->jobs, [&](const JobLook& j) { return j.job.experiment == canary.experiment; });
    if (it == look->jobs.end())
      return fail({.code = Code::internal, .what = "the canary is not listed", .next_step = "run it again"});
    if (!is_open(it->job.state)) return verdict(d, rental, request, *it, real, caller);
    caller.progress(0.5, "trying " + request.experiment + (it->log.empty() ? "" : ": " + it->log));
    if (d.clock.now() >= caller.until || !d.clock.sleep_for(kLook, caller.stop)) break;
  }
  Envelope e;
  e.outcome = "canary_running";
  e.summary = text("The canary of ", request.experiment, " runs for ", length.count(), " minutes in all.");
  e.facts = {{"instance_id", *rental.instance},
             {"experiment", request.experiment},
             {"log", log_path(canary.experiment)},
             {"warnings", json::array()}};
  json again = real.call;
  again["canary"] = true, again["canary_minutes"] = length.count();
  e.next.push_back({"run", again, "go on waiting for its verdict" + real.but});
  return e;
}

}  // namespace vastgpu
