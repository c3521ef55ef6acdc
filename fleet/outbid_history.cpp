#include "fleet/outbid_history.h"

#include <algorithm>
#include <map>

namespace vastgpu {
namespace {

constexpr std::size_t kLeastPauses = 3;  // below that the middle one is an anecdote

Hours in_hours(Duration d) { return std::chrono::duration_cast<Hours>(d); }

}  // namespace

std::vector<Pause> pauses_of(const std::vector<LedgerEvent>& events) {
  std::vector<Pause> pauses;
  std::map<std::string, std::size_t> open;  // label -> index
  for (const LedgerEvent& e : events) {
    const auto at = open.find(e.label);
    if (e.kind == kOutbidEvent && at == open.end()) {
      open[e.label] = pauses.size();
      pauses.push_back({e.label, e.at, e.at, {}});
    } else if (at != open.end() && (e.kind == kStillOutbidEvent || e.kind == kOutbidEvent)) {
      pauses[at->second].seen_until = std::max(pauses[at->second].seen_until, e.at);
    } else if (at != open.end() && e.kind == kResumedEvent) {
      pauses[at->second].resumed = e.at;
      open.erase(at);
    }
  }
  return pauses;
}

std::optional<Pause> open_pause(const std::vector<LedgerEvent>& events) {
  const auto pauses = pauses_of(events);
  if (pauses.empty() || pauses.back().resumed) return std::nullopt;
  return pauses.back();
}

std::optional<UsualPause> usual_pause(const std::vector<Pause>& pauses) {
  std::vector<Hours> lasted;
  for (const Pause& p : pauses)
    if (p.resumed) lasted.push_back(in_hours(*p.resumed - p.from));
  if (lasted.size() < kLeastPauses) return std::nullopt;
  std::ranges::sort(lasted);
  return UsualPause{lasted[lasted.size() / 2], static_cast<int>(lasted.size())};
}

PaidSoFar paid_so_far(const Rental& rental, const std::vector<LedgerEvent>& events, UsdPerHour storage,
                      Usd traffic, bool paused_now, TimePoint now) {
  struct Change {
    TimePoint at;
    UsdPerHour before, after;
  };
  std::vector<Change> changes;  // of the whole price
  for (const LedgerEvent& e : events) {
    if (e.kind != kBidEvent) continue;
    const auto before = read_number(e.detail, "usd_per_hour_before");
    const auto after = read_number(e.detail, "usd_per_hour");
    if (before && after) changes.push_back({e.at, {*before}, {*after}});
  }
  auto pauses = pauses_of(events);
  if (paused_now && !pauses.empty() && !pauses.back().resumed) pauses.back().seen_until = now;

  PaidSoFar paid;
  TimePoint at = rental.created;
  UsdPerHour rate = changes.empty() ? rental.price : changes.front().before;
  const auto run_until = [&](TimePoint end) {  // every stretch at the price that held, the changed one from
    for (const Change& c : changes) {          // the moment on at which it was asked for
      if (c.at <= at) rate = c.after;
      if (c.at <= at || c.at >= end) continue;
      paid.at_most += rate * in_hours(c.at - at);
      paid.ran += in_hours(c.at - at);
      at = c.at;
      rate = c.after;
    }
    if (end <= at) return;
    paid.at_most += rate * in_hours(end - at);
    paid.ran += in_hours(end - at);
    at = end;
  };
  for (const Pause& p : pauses) {
    run_until(std::min(p.from, now));
    const TimePoint end = std::min(p.seen_until, now);
    if (end <= at) continue;
    paid.at_most += storage * in_hours(end - at);
    paid.paused += in_hours(end - at);
    at = end;
  }
  run_until(now);
  paid.at_most += traffic;
  return paid;
}

}  // namespace vastgpu
