#include "fleet/canary.h"

#include <algorithm>
#include <cmath>

#include "core/text.h"
#include "fleet/guard.h"
#include "fleet/needs.h"

namespace vastgpu {
namespace {

constexpr int kEndedByUs = 143;
constexpr double kMemoryHeadroom = 1.15;   // sampled every few seconds: a spike between two looks is missed
constexpr double kOverDeadCard = 1.25;     // it needs more than the card has, and nobody saw how much
constexpr double kHoursHeadroom = 1.1;     // evaluation and saving come later than the first minutes
constexpr double kWorthMovingFor = 0.9;    // of the cost: a move costs a setup
constexpr double kWorthHurryingFor = 0.8;  // of the time

/// Bash on one line. `set -m` gives the command a process group, so that all of it is ended.
std::string trial(const std::string& experiment, const std::string& command, std::chrono::seconds length) {
  const std::string folder = std::string(kRemoteHome) + "/canary/" + experiment;
  return text("c=", folder, "; rm -rf $c; mkdir -p $c/results || exit 1; for f in * .[!.]*; do case $f in ",
              "results|outputs|logs|runs|wandb|checkpoints|.git) ;; *) [ -e \"$f\" ] && ",
              "ln -s \"$PWD/$f\" \"$c/$f\";; esac; done; cd $c || exit 1; set -m; ( eval ",
              // a space at its end keeps the script's name a word of its own for whoever reads this line
              shell_quote(command + " "), " ) & p=$!; ( sleep ", length.count(),
              "; touch $c.over; kill -TERM -$p; sleep 10; kill -KILL -$p ) >/dev/null 2>&1 & w=$!; ",
              "wait $p; r=$?; kill -KILL -$w 2>/dev/null; [ -e $c.over ] && r=", kEndedByUs,
              "; cd /; rm -rf $c $c.over; exit $r");
}

std::string usd(Usd amount) { return money(amount); }

}  // namespace

std::string canary_name(const std::string& experiment) { return experiment + "-canary"; }

JobRequest canary_job(const JobRequest& request, std::chrono::minutes length) {
  JobRequest canary = request;
  canary.experiment = canary_name(request.experiment);
  canary.command = trial(request.experiment, request.command,
                         std::clamp<std::chrono::seconds>(length, kShortestCanary, kLongestCanary));
  canary.auto_destroy = false;  // the real run is still to come
  canary.canary = true;
  return canary;
}

CanaryReading read_canary(const JobLook& look) {
  CanaryReading r;
  r.exit_code = look.job.exit_code.value_or(-1);
  r.ended_by_us = r.exit_code == kEndedByUs;
  r.out_of_memory = !r.ended_by_us && r.exit_code != 0 && look.so_far.out_of_memory;
  if (const GpuMemory* most = fullest(look.so_far.memory)) {
    r.peak = most->own();
    r.gpu_ram = most->total;
  }
  const LogProgress& p = look.so_far.progress;
  if (p.rate && p.rate_unit == "steps/s" && *p.rate > 0) r.steps_per_second = p.rate;
  r.steps_total = p.steps_total;
  if (r.exit_code == 0) {
    r.whole = look.so_far.ran;
  } else if (const auto left = time_left(p, look.so_far.ran)) {
    // What it did in these minutes has to be done again. By rate where there is one, since the first minutes
    // load and compile.
    const Hours done = r.steps_per_second && p.steps_done
                           ? Hours(static_cast<double>(*p.steps_done) / *r.steps_per_second / 3600)
                           : look.so_far.ran.value_or(Hours(0));
    r.whole = *left + done;
  }
  return r;
}

CanaryVerdict judge_canary(const CanaryReading& reading, const std::string& gpu_name, UsdPerHour per_hour,
                           Hours lease_left, const std::vector<Elsewhere>& others) {
  CanaryVerdict v;
  using Kind = CanaryVerdict::Kind;
  const auto cheapest =
      std::ranges::min_element(others, {}, [](const Elsewhere& e) { return e.total.value; });
  const auto fastest = std::ranges::min_element(others, {}, &Elsewhere::ready);
  const auto named = [](const Elsewhere& e) {
    return text(e.gpu_name, " (", e.quote_id, "): about ", usd(e.total), ", done in ", hours(e.ready));
  };
  if (reading.out_of_memory) {
    v.kind = Kind::out_of_memory;
    if (cheapest != others.end()) v.cheaper = *cheapest;
    v.words = text("It ran out of GPU memory on this ", gpu_name, ". ",
                   v.cheaper ? "A card with more: " + named(*v.cheaper) + ". "
                             : std::string("No card with more was found. "),
                   "A smaller batch or gradient checkpointing may also do.");
    return v;
  }
  if (!reading.ended_by_us && reading.exit_code != 0) {
    v.kind = Kind::failed;
    v.words = text("It failed with exit code ", reading.exit_code, ": see the end of its log.");
    return v;
  }
  if (!reading.whole) {
    v.words =
        "It runs, but its log does not say how many steps there are and how fast they go: how long the "
        "whole takes is unknown.";
    return v;
  }
  v.kind = Kind::fits;
  v.here = Usd{per_hour.value * reading.whole->count()};
  v.lease_is_long_enough = *reading.whole <= lease_left;
  v.words = text("The whole run takes about ", hours(*reading.whole), " here and costs about ", usd(v.here),
                 v.lease_is_long_enough ? "." : ": longer than the lease, extend it or run it elsewhere.");
  if (cheapest != others.end() && cheapest->total.value < v.here.value * kWorthMovingFor)
    v.cheaper = *cheapest;
  if (fastest != others.end() && fastest->ready < *reading.whole * kWorthHurryingFor) v.faster = *fastest;
  if (v.cheaper) v.words += " Cheaper from here: " + named(*v.cheaper) + ".";
  if (v.faster && (!v.cheaper || v.faster->quote_id != v.cheaper->quote_id))
    v.words += " Faster from here: " + named(*v.faster) + ".";
  if (v.cheaper || v.faster)
    v.words += " Speeds of other cards are from the table, not measured.";
  else
    v.words += " No other card on offer is a tenth cheaper or a fifth faster from here.";
  return v;
}

Result<std::vector<Elsewhere>> requote(const Deps& d, const Rental& rental, const CanaryReading& reading,
                                       std::stop_token stop) {
  if (!reading.whole && !reading.out_of_memory) return std::vector<Elsewhere>();
  auto quote = d.ledger.quote(rental.quote_id);
  if (!quote) return fail(std::move(quote).error());
  if (!*quote) return std::vector<Elsewhere>();
  QuoteRequest request = needs_of(**quote);
  request.project = rental.project;
  TaskProfile& p = request.profile;
  p.reference_gpu = rental.gpu_name;
  if (reading.whole) p.hours = *reading.whole * kHoursHeadroom;
  if (reading.out_of_memory) {
    if (reading.gpu_ram) p.vram = {to_gibibytes(*reading.gpu_ram).value * kOverDeadCard};
  } else if (reading.peak) {
    p.vram = {to_gibibytes(*reading.peak).value * kMemoryHeadroom};
  }
  auto found = make_quotes(d, request, std::move(stop));
  if (!found) return fail(std::move(found).error().during("looking for other cards"));
  std::vector<Elsewhere> others;
  for (const QuotedOption& o : found->options) {
    const Candidate& c = o.option.chosen;
    if (c.offer.machine == rental.machine) continue;
    others.push_back({o.quote.id, c.offer.gpu_name, c.estimate.total, c.until_done().value_or(c.lease)});
  }
  return others;
}

}  // namespace vastgpu
