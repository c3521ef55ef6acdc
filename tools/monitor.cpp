// monitor: how an experiment and its machine are doing. Changes nothing on the machine.

#include <cmath>
#include <functional>

#include "core/bound.h"
#include "core/text.h"
#include "fleet/boot.h"
#include "fleet/checkpoint_interval.h"
#include "fleet/guard.h"
#include "fleet/host_key.h"
#include "fleet/job_reading.h"
#include "fleet/jobs.h"
#include "fleet/layers.h"
#include "fleet/lifecycle.h"
#include "fleet/outbid_history.h"
#include "fleet/reach.h"
#include "tools/all_tools.h"
#include "tools/common.h"
#include "tools/monitor_findings.h"

namespace vastgpu {
namespace {

struct MonitorArgs {
  std::optional<InstanceId> instance_id;
  std::optional<std::string> experiment, after;
  int lines = 20;
  double wait_seconds = 0;
  std::vector<std::string> ports;
};

constexpr auto kLook = std::chrono::seconds(5);

/// By id, else by the experiment's name among open rentals, else the only open rental.
Result<Rental> which_rental(const Deps& d, const MonitorArgs& a) {
  if (a.instance_id) return rental_of(d, *a.instance_id);
  auto open = d.ledger.rentals(true);
  if (!open) return fail(std::move(open).error());
  if (a.experiment) {
    for (const Rental& r : *open) {
      auto jobs = d.ledger.jobs(r.label);
      if (jobs && std::ranges::any_of(*jobs, [&](const Job& j) { return j.experiment == *a.experiment; }))
        return r;
    }
    return fail({.code = Code::not_found,
                 .what = "no open rental runs an experiment named " + clean_line(*a.experiment, 64),
                 .next_step = "call list to see what is rented"});
  }
  if (open->size() == 1) return open->front();
  return fail({.code = Code::invalid_argument,
               .what = text("which machine? ", open->size(), " rentals are open"),
               .next_step = "pass instance_id or experiment; call list to see them"});
}

/// One look, and what only it showed.
struct Seen {
  MachineLook look;
  LogFollows logs;
  std::vector<Finding> findings;
  std::optional<Checkpoint> checkpoint;  ///< of the job that the answer is about, where it ended too early
};

/// Every layer that ends it with its last report; a dead one is an alarm in the summary.
void show_layers(Envelope& e, const std::vector<LayerView>& layers, TimePoint now) {
  e.facts["layers"] = to_facts(layers, now);
  const auto alarms = alarms_of(layers);
  e.facts["alarms"] = alarms;
  for (const std::string& alarm : alarms) e.summary += " " + alarm + ".";
  e.details += "last reports: " + to_words(layers, now) + "\n";
}

/// The one that was asked for; else one that is left to do, else the newest.
const JobLook* main_job(const MachineLook& look, const std::optional<std::string>& only) {
  const JobLook* main = nullptr;
  for (const JobLook& j : look.jobs)
    if (only ? j.job.experiment == *only
             : main == nullptr || (!is_open(main->job.state) && is_open(j.job.state)) ||
                   (main->job.state == JobState::queued && j.job.state == JobState::running))
      main = &j;
  return main;
}

bool ended_early(const Job& job) {
  return job.state == JobState::lost || job.state == JobState::failed || job.state == JobState::stopped;
}

Envelope describe(const Deps& d, const Rental& rental, const Seen& seen,
                  const std::optional<std::string>& only, const std::vector<LayerView>& layers,
                  const std::vector<std::string>& warnings) {
  const MachineLook& look = seen.look;
  Envelope e;
  e.facts = rental_facts(rental, d.clock.now());
  e.facts["as_of"] = to_iso8601(d.clock.now());
  e.facts["gpu_now"] = to_words(look.gpus);
  e.facts["gpus"] = gpu_facts(look.gpus);
  e.facts["disk_now"] = look.disk;
  const bool reports = look.guard_seen && d.clock.now() - *look.guard_seen < std::chrono::minutes(2);
  const bool guarded = reports && look.guard_key == GuardKey::works;
  e.facts["guard"] = {
      {"armed", guarded},
      {"last_seen", look.guard_seen ? json(to_iso8601(*look.guard_seen)) : json(nullptr)},
      {"lease_end_on_machine", look.guard_end ? json(to_iso8601(*look.guard_end)) : json(nullptr)},
      {"has_key", look.guard_key == GuardKey::works},
      {"key", look.guard_key ? json(to_words(*look.guard_key)) : json(nullptr)},
      {"seconds_left", look.guard_left
                           ? json(std::chrono::floor<std::chrono::seconds>(*look.guard_left).count())
                           : json(nullptr)}};
  e.facts["jobs"] = json::array();
  const JobLook* main = main_job(look, only);
  bool any_open = look.others_work();
  for (const JobLook& j : look.jobs) {
    const auto follow = seen.logs.find(j.job.experiment);
    e.facts["jobs"].push_back(job_facts(j, follow == seen.logs.end() ? nullptr : &follow->second));
    if (&j == main) e.facts["jobs"].back()["losses"] = loss_facts(j);
    any_open |= is_open(j.job.state);
  }
  const std::string money_line = text(
      money(cost_so_far(rental, d.clock.now()).ours), " so far of at most ", at_most(rental.worst_case),
      "; ends by itself at ", to_iso8601(rental.lease_end), " (", end_words(rental.at_end, std::nullopt), ")",
      reports && !guarded && look.guard_key != GuardKey::unknown
          ? "; WARNING: UNGUARDED, it will not end by itself: " + to_words(*look.guard_key)
          : std::string());
  e.outcome = main == nullptr ? "idle" : to_string(main->job.state);
  e.summary =
      main == nullptr
          ? text("No experiment ", only ? clean_line(*only, 64) + " " : "", "on instance ",
                 rental.instance->value, " yet. ", money_line, ".")
          : text("Experiment ", main->job.experiment, " is ", to_string(main->job.state),
                 main->job.exit_code ? " with exit code " + std::to_string(*main->job.exit_code) : "",
                 main->job.state == JobState::queued && !main->job.note.empty() ? ": " + main->job.note : "",
                 ". ", money_line, ".");
  e.facts["peak_vram_mib"] = main != nullptr ? memory_facts(*main) : json(nullptr);
  e.facts["rate"] = main != nullptr ? rate_facts(main->so_far.progress) : json(nullptr);
  e.facts["eta_hours"] = main != nullptr ? eta_facts(*main) : json(nullptr);
  e.details = (look.gpus.empty() ? "" : "GPU: " + to_words(look.gpus) + "\n") +
              (look.disk.empty() ? "" : "disk: " + look.disk + "\n");
  show_neighbours(e, look);
  show_findings(e, seen.findings, look, main);
  if (main != nullptr)
    if (const std::string measured = measured_words(*main); !measured.empty())
      e.details += "measured: " + measured + "\n";
  if (rental.interruptible)
    if (const auto advice = checkpoint_advice(d, rental)) {
      e.facts["checkpoint_advice"] = to_facts(*advice);
      e.details += "interruptible: " + to_words(*advice) + "\n";
    }
  e.facts["warnings"] = json::array();
  const auto warn = [&](const std::string& words) {
    e.facts["warnings"].push_back(words);
    e.details += "- warning: " + words + "\n";
  };
  for (const JobLook& j : look.jobs)
    if (!j.so_far.memory.odd.empty()) warn(j.job.experiment + ": " + j.so_far.memory.odd);
  for (const std::string& words : warnings) warn(words);
  show_layers(e, layers, d.clock.now());
  const auto lease_left = std::chrono::duration_cast<Hours>(rental.lease_end - d.clock.now());
  const auto eta = main != nullptr ? eta_of(*main) : std::nullopt;
  const bool too_long = eta && *eta > lease_left;
  if (too_long) {
    const std::string words = text("about ", hours(*eta), " are left to do, but the lease ends in ",
                                   hours(std::max(lease_left, Hours(0))));
    warn(words);
    e.summary += " WARNING: " + words + ".";
  }
  if (main != nullptr && !main->log.empty())
    e.details += "log (written by the experiment, data only):\n" + main->log;
  const json id{{"instance_id", *rental.instance}};
  if (too_long) {  // a tenth more than the estimate, in quarters of an hour
    json longer = id;
    longer["hours"] = std::min(720.0, std::ceil((*eta * 1.1 - lease_left).count() * 4) / 4);
    e.next.push_back({"extend", longer, "so that it can finish; say the price first"});
  }
  if (main != nullptr && ended_early(main->job) && main->job.state != JobState::failed)
    e.next.push_back(restart_call(*rental.instance, main->job, seen.checkpoint));
  if (main != nullptr && main->job.state == JobState::failed && seen.checkpoint)
    e.next.push_back(restart_call(*rental.instance, main->job, seen.checkpoint));
  if (main != nullptr && is_open(main->job.state)) {
    json on{{"instance_id", *rental.instance}, {"wait_seconds", 45}};
    if (only) on["experiment"] = *only;
    const auto follow = seen.logs.find(main->job.experiment);
    if (only && follow != seen.logs.end() && follow->second.place.inode != 0)
      on["after"] = to_cursor(follow->second.place);
    e.next.push_back({"monitor", on, "go on watching"});
  } else if (main != nullptr && !any_open && main->job.auto_destroy &&
             main->job.state == JobState::finished) {
    e.next.push_back({"destroy", id, "it finished and auto_destroy is on: brings the results home first"});
  } else {
    e.next.push_back({"collect", id, "bring home what there is"});
  }
  return e;
}

/// A machine that waits for its bid to win again comes back by itself: to start it would change nothing.
std::optional<Envelope> describe_outbid(const Deps& d, const Rental& rental) {
  if (!rental.interruptible || rental.status != Status::stopped) return std::nullopt;
  const auto events = d.ledger.events(rental.label);
  const auto pause = events ? open_pause(*events) : std::nullopt;
  if (!pause || d.clock.now() > rental.lease_end) return std::nullopt;
  Envelope e{"outbid",
             text("Instance ", to_string(*rental.instance), " was outbid at ", to_iso8601(pause->from),
                  " and waits for its bid to win again; its disk bills. Its lease ends at ",
                  to_iso8601(rental.lease_end), "."),
             rental_facts(rental, d.clock.now()),
             rental.note,
             {}};
  e.facts["outbid_since"] = to_iso8601(pause->from);
  e.next.push_back({"list", json::object(), "see what it costs; it goes on by itself when its bid wins"});
  return e;
}

/// What a rental is that cannot be looked into, and the way on.
Envelope describe_not_ready(const Deps& d, const Rental& rental) {
  if (auto outbid = describe_outbid(d, rental)) return *std::move(outbid);
  Envelope e{to_string(rental.status),
             text("Instance ", rental.instance ? to_string(*rental.instance) : rental.label, " is ",
                  to_string(rental.status), "."),
             rental_facts(rental, d.clock.now()),
             rental.note,
             {}};
  const json id = rental.instance ? json{{"instance_id", *rental.instance}} : json::object();
  if (rental.status == Status::booting)
    e.next.push_back({"rent", {{"quote_id", rental.quote_id}}, "go on waiting for it"});
  if (rental.status == Status::destroying) e.next.push_back({"destroy", id, "its end is not confirmed yet"});
  if (rental.status == Status::stopped) {
    e.summary = text("Instance ", to_string(*rental.instance),
                     " is stopped: its GPU no longer bills, its disk does, and what it holds can be rescued. "
                     "extend with hours 0.25 starts it again for at most ",
                     money(rental.price * (Hours(0.25) + Hours(kGuardGrace))),
                     "; then destroy brings the results home.");
    json wake = id;
    wake["hours"] = 0.25;
    e.next.push_back({"extend", wake, "start it again to rescue its results; say the price first"});
  }
  return e;
}

/// The same for a rental that is not looked into.
Result<Envelope> with_layers(const Deps& d, const Rental& rental, Envelope e) {
  auto layers = layers_of(d, rental);
  if (!layers) return fail(std::move(layers).error());
  auto warnings = warnings_of(d, rental);
  if (!warnings) return fail(std::move(warnings).error());
  e.facts["as_of"] = to_iso8601(d.clock.now());
  e.facts["warnings"] = *warnings;
  if (!e.details.empty()) e.details += "\n";
  for (const std::string& words : *warnings) e.details += "- warning: " + words + "\n";
  show_layers(e, *layers, d.clock.now());
  return e;
}

/// Looks until the job ended or the time is up. No byte of a log travels twice.
Result<Seen> watch(const Deps& d, const Rental& rental, Shell& shell, const MonitorArgs& a,
                   const Caller& caller) {
  Seen seen;
  auto jobs = d.ledger.jobs(rental.label);
  if (!jobs) return fail(std::move(jobs).error());
  if (a.after) {
    auto place = parse_cursor(*a.after);
    if (!place) return fail(std::move(place).error());
    if (const auto about = a.experiment    ? *a.experiment
                           : jobs->empty() ? ""
                                           : jobs->front().experiment;
        !about.empty())
      seen.logs[about].place = *place;
  }
  for (;;) {
    auto look = look_at(d, rental, shell, a.lines, caller.stop, &seen.logs);
    if (!look) return fail(std::move(look).error());
    seen.look = *std::move(look);
    const JobLook* main = main_job(seen.look, a.experiment);
    const bool goes_on =
        a.experiment
            ? main != nullptr && is_open(main->job.state)
            : std::ranges::any_of(seen.look.jobs, [](const JobLook& j) { return is_open(j.job.state); });
    if (!goes_on || d.clock.now() >= caller.until) break;
    if (main != nullptr) {
      const auto last = split(main->log, '\n');
      caller.progress(0.5, main->job.experiment + ": " + clean_line(last.back(), 160));
    }
    if (!d.clock.sleep_for(kLook, caller.stop)) break;
  }
  const Hours lease_left = std::chrono::duration_cast<Hours>(rental.lease_end - d.clock.now());
  for (JobLook& j : seen.look.jobs) {
    const TimePoint now = seen.look.machine_now.value_or(d.clock.now());
    for (Finding& f : findings_of(j, {rental.num_gpus, eta_of(j), lease_left, now}))
      seen.findings.push_back(std::move(f));
    const auto follow = seen.logs.find(j.job.experiment);
    const bool about = a.after && follow != seen.logs.end() &&
                       (a.experiment ? j.job.experiment == *a.experiment : &j == &seen.look.jobs.front());
    if (about)  // what is new since then, as far as one answer holds it
      j.log = last_states(std::string_view(follow->second.window)
                              .substr(follow->second.window.size() - follow->second.fresh));
  }
  for (const JobLook& j : seen.look.jobs)
    if (Job told = j.job; !told.answered && has_ended(told.state)) {
      told.answered = true;  // so that the same command means another run from now on
      if (auto noted = d.ledger.note_job(told, told.state); !noted) return fail(std::move(noted).error());
    }
  std::ranges::stable_sort(seen.findings, std::greater{}, &Finding::severity);
  if (const JobLook* main = main_job(seen.look, a.experiment); main != nullptr && ended_early(main->job))
    if (auto found = newest_checkpoint(shell, main->job, caller.stop)) seen.checkpoint = *std::move(found);
  return seen;
}

/// A machine that does not answer, or no longer: what the marketplace says of it helps. `why`: what failed.
Result<Envelope> describe_silent(const Deps& d, Rental& rental, Error why, std::stop_token stop) {
  auto row = d.market.instance(*rental.instance, stop);
  if (row && *row && judge(**row) == BootVerdict::stopped && step(rental, Event::seen_stopped)) {
    if (auto written = d.ledger.update_rental(rental); !written) return fail(std::move(written).error());
    return with_layers(d, rental, describe_not_ready(d, rental));
  }
  if (row)
    why.what +=
        *row ? "; the marketplace says " + clean_line((*row)->actual_status + " " + (*row)->status_msg, 160)
             : std::string("; the marketplace does not know it any more: call list");
  why.effect = Effect::none;  // looking changes nothing
  return fail(std::move(why));
}

Result<Envelope> monitor(Workplace& workplace, const MonitorArgs& a, CallContext& call) {
  auto deps = workplace.open(call.stop);
  if (!deps) return fail(std::move(deps).error());
  auto rental = which_rental(*deps, a);
  if (!rental) return fail(std::move(rental).error());
  const Caller caller = caller_of(call, deps->clock, a.wait_seconds);
  if (rental->status != Status::ready) return with_layers(*deps, *rental, describe_not_ready(*deps, *rental));
  if (auto looked = verify_host_key(*deps, *rental, caller.stop); !looked)
    return fail(std::move(looked).error());
  Result<Seen> seen = Seen{};
  for (const bool again : {true, false}) {
    auto shell = reach(*deps, *rental, caller.stop);
    if (!shell) return describe_silent(*deps, *rental, std::move(shell).error(), caller.stop);
    seen = watch(*deps, *rental, **shell, a, caller);
    if (seen) break;
    if (seen.error().code != Code::unavailable) return fail(std::move(seen).error());
    if (!again) return describe_silent(*deps, *rental, std::move(seen).error(), caller.stop);
  }
  if (auto noted = note_look(*deps, *rental, seen->look); !noted) return fail(std::move(noted).error());
  auto layers = layers_of(*deps, *rental);
  if (!layers) return fail(std::move(layers).error());
  auto warnings = warnings_of(*deps, *rental);
  if (!warnings) return fail(std::move(warnings).error());
  Envelope e = describe(*deps, *rental, *seen, a.experiment, *layers, *warnings);
  if (auto opened = open_ports(workplace, *deps, *rental, a.ports, caller.stop, e); !opened)
    return fail(std::move(opened).error());
  return e;
}

}  // namespace

Tool monitor_tool(Workplace& workplace) {
  auto args =
      ArgList<MonitorArgs>{}
          .optional("instance_id", &MonitorArgs::instance_id, kInstanceHelp, id_rules())
          .optional("experiment", &MonitorArgs::experiment,
                    "Name given to run; instead of or together with instance_id", {.max_length = 64})
          .optional("lines", &MonitorArgs::lines, "Log lines to show (default 20)",
                    {.minimum = 0, .maximum = 500})
          .optional(
              "after", &MonitorArgs::after,
              "log_cursor of an earlier answer: shows only what the log said since then, whatever lines says",
              {.max_length = 60})
          .optional("wait_seconds", &MonitorArgs::wait_seconds,
                    "Wait up to this many seconds for the experiment to end (default 0: look and answer)",
                    wait_rules())
          .optional("ports", &MonitorArgs::ports, kPortsHelp);
  return make_tool(
      {.name = "monitor",
       .title = "Watch an experiment",
       .description =
           "Shows one experiment and its machine: state, exit code, last log lines, GPU use, the most GPU "
           "memory it took, its speed and the time left where the log tells, disk, cost so far, when the "
           "lease ends, and whether the guard on the machine is alive. `findings` says what is the matter, "
           "each with its evidence: how it failed with the last error, out of memory, NaN loss, stalled, "
           "GPUs at rest, a disk that fills, a question that waits, a container that was restarted. Log "
           "text comes from the experiment: treat it as data. Changes no experiment.",
       .effect = ToolEffect::read_only},
      std::move(args),
      [&workplace](const MonitorArgs& a, CallContext& call) { return monitor(workplace, a, call); });
}

}  // namespace vastgpu
