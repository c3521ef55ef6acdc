#include "fleet/layers.h"

#include <algorithm>

#include "core/text.h"
#include "fleet/host_key.h"
#include "fleet/idle.h"
#include "fleet/lifecycle.h"
#include "fleet/notice.h"
#include "fleet/renew.h"

namespace vastgpu {
namespace {

constexpr const char* kNotReached = "not reached";

std::string age_words(Duration age) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(std::max(age, Duration{})).count();
  return seconds < 120 ? text(seconds, " s") : hours(std::chrono::duration_cast<Hours>(age));
}

const LayerReport* find(const std::vector<LayerReport>& reports, std::string_view layer) {
  const auto at = std::ranges::find(reports, layer, &LayerReport::layer);
  return at == reports.end() ? nullptr : &*at;
}

LayerView view_of(const std::string& layer, const LayerReport* report) {
  LayerView view{layer, {}, {}, {}, {}};
  if (report != nullptr) {
    view.at = report->at;
    view.detail = clean_line(report->detail, 200);
  }
  return view;
}

/// Judged by the last look: without one since, nobody can tell.
void judge_guard(LayerView& view, const Rental& rental, const LayerReport* look) {
  if (rental.status != Status::ready || look == nullptr || look->detail == kNotReached) return;
  if (!view.at || look->at - *view.at > kGuardSilent) {
    view.alarm = view.at ? "the guard on the machine is silent since " + to_iso8601(*view.at)
                         : std::string("the guard on the machine never reported");
    view.fix = "call extend with instance_id " + (rental.instance ? to_string(*rental.instance) : "") +
               " and hours 0; if it stays silent, destroy it in time yourself: its lease ends at " +
               to_iso8601(rental.lease_end);
  } else if (view.detail.ends_with("no key")) {
    view.alarm = "the guard on the machine has no working key and cannot stop it";
    view.fix = "destroy it in time yourself: its lease ends at " + to_iso8601(rental.lease_end);
  }
}

void judge_keeper(LayerView& view, const Rental& rental, bool wanted, TimePoint now) {
  if (!wanted) {
    view.detail = "switched off in settings.json, or by VAST_GPU_KEEPER";
    return;
  }
  const TimePoint last = std::max(view.at.value_or(rental.created), rental.created);
  if (now - last <= kKeeperSilent) return;
  view.alarm = view.at ? "no keeper has reported for " + age_words(now - *view.at)
                       : std::string("no keeper ever reported");
  view.fix = "run vast-gpu keep &, or vast-gpu install keeper";
}

}  // namespace

std::optional<TimePoint> last_report(const std::vector<LayerReport>& reports, std::string_view layer) {
  const LayerReport* report = find(reports, layer);
  return report == nullptr ? std::nullopt : std::optional(report->at);
}

std::vector<LayerView> layer_views(const Rental& rental, const std::vector<LayerReport>& of_rental,
                                   const std::vector<LayerReport>& of_account, bool keeper_wanted,
                                   TimePoint now) {
  std::vector<LayerView> views;
  views.push_back(view_of(kGuardLayer, find(of_rental, kGuardLayer)));
  judge_guard(views.back(), rental, find(of_rental, kLookMark));
  const LayerReport* here = find(of_rental, kKeeperLayer);
  const LayerReport* anywhere = find(of_account, kKeeperLayer);
  const bool newer = here == nullptr || (anywhere != nullptr && anywhere->at > here->at);
  views.push_back(view_of(kKeeperLayer, newer ? anywhere : here));
  judge_keeper(views.back(), rental, keeper_wanted, now);
  views.push_back(view_of(kServerLayer, find(of_account, kServerLayer)));
  return views;
}

Result<std::vector<LayerView>> layers_of(const Deps& d, const Rental& rental) {
  auto of_rental = d.ledger.layers(rental.label);
  if (!of_rental) return fail(std::move(of_rental).error());
  auto of_account = d.ledger.layers("");
  if (!of_account) return fail(std::move(of_account).error());
  const bool wanted = !d.settings.keeper_off && (!d.settings.account || d.settings.account->keeper);
  return layer_views(rental, *of_rental, *of_account, wanted, d.clock.now());
}

json to_facts(const std::vector<LayerView>& views, TimePoint now) {
  json facts = json::array();
  for (const LayerView& v : views)
    facts.push_back(
        {{"layer", v.layer},
         {"last_report", v.at ? json(to_iso8601(*v.at)) : json(nullptr)},
         {"age_seconds",
          v.at ? json(std::chrono::floor<std::chrono::seconds>(now - *v.at).count()) : json(nullptr)},
         {"detail", v.detail},
         {"alarm", v.alarm.empty() ? json(nullptr) : json(v.alarm)},
         {"fix", v.fix.empty() ? json(nullptr) : json(v.fix)}});
  return facts;
}

std::string to_words(const std::vector<LayerView>& views, TimePoint now) {
  std::vector<std::string> words;
  for (const LayerView& v : views)
    words.push_back(v.layer + (v.at ? " " + age_words(now - *v.at) + " ago" : " never"));
  return join(words, ", ");
}

std::vector<std::string> alarms_of(const std::vector<LayerView>& views) {
  std::vector<std::string> alarms;
  for (const LayerView& v : views)
    if (!v.alarm.empty()) alarms.push_back("ALARM: " + v.alarm + ": " + v.fix);
  return alarms;
}

Result<void> note_look(const Deps& d, const Rental& rental, const MachineLook& look) {
  if (look.guard_seen) {
    const std::string detail =
        text("holds the lease end ", look.guard_end ? to_iso8601(*look.guard_end) : std::string("unknown"),
             ", ", to_words(look.guard_key.value_or(GuardKey::unknown)),
             look.guard_key == GuardKey::refused || look.guard_key == GuardKey::none ? ", so no key" : "");
    if (auto noted = d.ledger.note_layer({rental.label, kGuardLayer, *look.guard_seen, detail}); !noted)
      return noted;
  }
  return d.ledger.note_layer({rental.label, kLookMark, d.clock.now(), ""});
}

Result<void> note_not_reached(const Deps& d, const Rental& rental) {
  return d.ledger.note_layer({rental.label, kLookMark, d.clock.now(), kNotReached});
}

Result<std::vector<std::string>> warnings_of(const Deps& d, const Rental& rental) {
  std::vector<std::string> warnings;
  if (!may_bill(rental.status) || !rental.instance) return warnings;
  const TimePoint now = d.clock.now();
  if (rental.status == Status::ready || rental.status == Status::stopped) {
    auto noticed = last_noticed(d, rental);
    if (!noticed) return fail(std::move(noticed).error());
    if (const std::string words = to_words(*noticed, "", now); !words.empty()) warnings.push_back(words);
  }
  if (const std::string words = host_key_words(rental); !words.empty()) warnings.push_back(words);
  if (rental.status != Status::ready) return warnings;
  if (const std::string idle = idle_words(rental, now); !idle.empty()) warnings.push_back(idle);
  if (rental.seen_price && rental.seen_price->value > rental.price.value * 1.01)
    warnings.push_back("it costs " + money(*rental.seen_price) + " now, and was rented at " +
                       money(rental.price));
  auto jobs = d.ledger.jobs(rental.label);
  if (!jobs) return fail(std::move(jobs).error());
  const bool works = std::ranges::any_of(
      *jobs, [](const Job& j) { return j.state == JobState::running || j.state == JobState::queued; });
  if (works && rental.lease_end - now < kLeaseNearlyOver) {
    const std::string no = why_not_renewed(rental, d.settings.account, read_project_settings(rental.project));
    if (!no.empty())
      warnings.push_back("its lease ends at " + to_iso8601(rental.lease_end) + " and is not renewed: " + no);
  }
  return warnings;
}

}  // namespace vastgpu
