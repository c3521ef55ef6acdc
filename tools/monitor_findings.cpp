#include "tools/monitor_findings.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/text.h"
#include "fleet/log_losses.h"

namespace vastgpu {
namespace {

/// 0.0123456 to 0.01235: more digits of a loss than anybody reads.
double significant(double value, int digits) {
  if (value == 0 || !std::isfinite(value)) return value;
  const double scale = std::pow(10.0, digits - 1 - std::floor(std::log10(std::abs(value))));
  return std::isfinite(scale) && scale > 0 ? std::round(value * scale) / scale : value;
}

}  // namespace

json memory_facts(const JobLook& j) {
  const GpuMemory* most = fullest(j.so_far.memory);
  return most != nullptr ? json(most->own()) : json(nullptr);
}

json rate_facts(const LogProgress& p) {
  return p.rate ? json{{"value", *p.rate}, {"unit", p.rate_unit}} : json(nullptr);
}

std::optional<Hours> eta_of(const JobLook& j) {
  if (j.job.state != JobState::running) return std::nullopt;
  return time_left(j.so_far.progress, j.so_far.ran);
}

json eta_facts(const JobLook& j) {
  const auto eta = eta_of(j);
  return eta ? json(eta->count()) : json(nullptr);
}

json progress_facts(const LogProgress& p) {
  const auto number = [](const auto& value) { return value ? json(*value) : json(nullptr); };
  return {{"steps_done", number(p.steps_done)},
          {"steps_total", number(p.steps_total)},
          {"epochs_done", number(p.epochs_done)},
          {"epochs_total", number(p.epochs_total)}};
}

json loss_facts(const JobLook& j) {
  const bool whole = j.window.size() >= j.log_size;
  json curves = json::array();
  for (const LossCurve& curve : loss_curves(j.window, whole)) {
    json points = json::array();
    for (const LossPoint& p : curve.points)
      points.push_back({p.at, p.value ? json(significant(*p.value, 4)) : json(nullptr)});
    curves.push_back({{"name", curve.name},
                      {"counts", curve.counts},
                      {"points", std::move(points)},
                      {"readings", curve.readings},
                      {"no_numbers", curve.no_numbers},
                      {"from_start", whole}});
  }
  return curves;
}

json gpu_facts(const std::vector<GpuNow>& gpus) {
  json facts = json::array();
  for (const GpuNow& gpu : gpus)
    facts.push_back({{"name", gpu.name},
                     {"busy_percent", gpu.busy_percent ? json(*gpu.busy_percent) : json(nullptr)},
                     {"used_gib", std::round(to_gibibytes(gpu.used).value * 10) / 10},
                     {"total_gib", std::round(to_gibibytes(gpu.total).value * 10) / 10}});
  return facts;
}

std::string measured_words(const JobLook& j) {
  std::vector<std::string> words;
  const LogProgress& p = j.so_far.progress;
  if (const GpuMemory* most = fullest(j.so_far.memory)) {
    words.push_back("peak " + fixed(most->own().value / 1024, 1) + " GiB of GPU memory");
    if (most->held_before > Megabytes{500})
      words.back() += " beside " + fixed(most->held_before.value / 1024, 1) + " GiB that others hold";
  }
  if (p.steps_done && p.steps_total) words.push_back(text("step ", *p.steps_done, " of ", *p.steps_total));
  if (p.rate) words.push_back(text(*p.rate, " ", p.rate_unit));
  if (const auto eta = eta_of(j)) words.push_back("about " + hours(*eta) + " left");
  return join(words, "; ");
}

json job_facts(const JobLook& j, const LogFollow* follow) {
  json heartbeat = nullptr;
  if (j.heartbeat_age) heartbeat = std::chrono::duration<double>(*j.heartbeat_age).count();
  json facts = {{"experiment", j.job.experiment},
                {"state", to_string(j.job.state)},
                {"note", j.job.note.empty() ? json(nullptr) : json(j.job.note)},
                {"queue_place", j.queue_place > 0 ? json(j.queue_place) : json(nullptr)},
                {"gpus", j.gpus.empty() ? json(nullptr) : json(j.gpus)},
                {"env_names", j.job.env_names.empty() ? json::array() : json(split(j.job.env_names, ' '))},
                {"command", j.job.command},
                {"exit_code", j.job.exit_code ? json(*j.job.exit_code) : json(nullptr)},
                {"heartbeat_age_seconds", heartbeat},
                {"log_bytes", j.log_size},
                {"log", log_path(j.job.experiment)},
                {"log_tail", j.log},
                {"peak_vram_mib", memory_facts(j)},
                {"rate", rate_facts(j.so_far.progress)},
                {"progress", progress_facts(j.so_far.progress)},
                {"losses", json::array()},
                {"eta_hours", eta_facts(j)},
                {"auto_destroy", j.job.auto_destroy}};
  if (follow != nullptr) {
    facts["log_cursor"] = follow->place.inode == 0 ? json(nullptr) : json(to_cursor(follow->place));
    facts["log_skipped_bytes"] = follow->skipped;
    facts["log_rotated"] = follow->rotated;
  }
  return facts;
}

Result<LogPlace> parse_cursor(const std::string& words) {
  const auto colon = words.find(':');
  LogPlace place;
  const auto read = [](std::string_view word, std::uint64_t& into) {
    const auto [end, bad] = std::from_chars(word.data(), word.data() + word.size(), into);
    return bad == std::errc{} && end == word.data() + word.size() && into < (std::uint64_t{1} << 62);
  };
  const bool sound = colon == std::string::npos
                         ? read(words, place.at)
                         : read(std::string_view(words).substr(0, colon), place.inode) &&
                               read(std::string_view(words).substr(colon + 1), place.at);
  if (!sound)
    return fail({.code = Code::invalid_argument,
                 .what = "after is no place in a log: " + clean_line(words, 60),
                 .next_step = "pass log_cursor of an earlier answer, or a number of bytes"});
  return place;
}

std::string to_cursor(const LogPlace& place) { return text(place.inode, ":", place.at); }

void show_findings(Envelope& e, const std::vector<Finding>& findings, const MachineLook& look,
                   const JobLook* main) {
  e.facts["findings"] = findings;
  for (const Finding& f : findings) {
    const std::string what = (f.experiment.empty() ? "" : f.experiment + ": ") + f.kind;
    e.details += std::string("- ") + to_string(f.severity) + ": " + what + ": " + f.evidence + "\n  " +
                 f.advice + "\n";
    const bool matters = std::ranges::any_of(look.jobs, [&](const JobLook& j) {
      return j.job.experiment == f.experiment && (&j == main || is_open(j.job.state));
    });
    if (f.severity == Severity::bad && matters)
      e.summary += " " + what + " (" + clean_line(f.evidence.substr(0, f.evidence.find('\n')), 160) + ").";
  }
}

void show_neighbours(Envelope& e, const MachineLook& look) {
  e.facts["foreign_screens"] = look.foreign_screens;
  e.facts["queue"] = {{"waiting", look.queue.waiting},
                      {"why", look.queue.why.empty() ? json(nullptr) : json(look.queue.why)}};
  e.facts["their_queues"] = json::array();
  for (const TheirQueue& q : look.theirs.queues) {
    const auto age = q.unchanged ? json(std::chrono::duration<double>(*q.unchanged).count()) : json(nullptr);
    e.facts["their_queues"].push_back({{"run", q.run},
                                       {"open", q.open()},
                                       {"readable", q.readable},
                                       {"pending", q.pending},
                                       {"running", q.running},
                                       {"completed", q.completed},
                                       {"failed", q.failed},
                                       {"stuck", q.stuck},
                                       {"unchanged_seconds", age}});
    if (q.open()) e.details += to_words(q) + "; the machine is not ended by itself meanwhile\n";
  }
  e.facts["watchdog"] = {{"present", look.theirs.watchdog}, {"alerts", look.theirs.alerts}};
  if (!look.foreign_screens.empty())
    e.details += "other screen sessions: " + join(look.foreign_screens, ", ") + "\n";
  if (!look.queue.waiting.empty())
    e.details += "queue: " + join(look.queue.waiting, ", ") +
                 (look.queue.why.empty() ? "" : " (" + look.queue.why + ")") + "\n";
  for (const std::string& alert : look.theirs.alerts) e.details += "watchdog (data only): " + alert + "\n";
}

NextCall restart_call(InstanceId instance, const Job& job, const std::optional<Checkpoint>& checkpoint) {
  json again{{"instance_id", instance}, {"experiment", job.experiment}, {"restart", true}};
  if (!checkpoint) return {"run", again, "start it again from the beginning: it left no checkpoint"};
  if (!checkpoint->option_known)
    return {"run", again,
            "start it again; its newest checkpoint is " + checkpoint->path +
                ", which its script must find by itself or be told of"};
  again["command"] = checkpoint->command;
  return {"run", again, "go on from its newest checkpoint, " + checkpoint->path};
}

}  // namespace vastgpu
