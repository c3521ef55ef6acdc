#include "fleet/reconcile.h"

#include <set>

#include "core/log.h"
#include "core/text.h"
#include "fleet/adopt.h"
#include "fleet/gone.h"
#include "fleet/lifecycle.h"
#include "fleet/reach.h"
#include "fleet/record.h"

namespace vastgpu {
namespace {

// A new contract may be missing from lists for its first seconds.
constexpr auto kMayBeInvisible = std::chrono::seconds(60);
constexpr auto kBetweenLists = std::chrono::seconds(4);  // contracts have been seen to come back
constexpr auto kForAdopting = std::chrono::seconds(10);  // another process may be adopting it just now
// After this long with complete lists and no such label, a create without an answer did not happen.
constexpr auto kSettledAfter = std::chrono::minutes(5);

/// The contract of an intent whose answer was lost, or that was believed refused. False when the call that
/// sent it, or another one, was faster.
Result<bool> adopt(const Deps& d, Rental& rental, const Instance& row) {
  const auto take = [&](Rental& now) {
    now.instance = row.id;
    now.ended.reset();
  };
  auto taken = rental.status == Status::destroying
                   ? amend(d, rental, take)  // its end was asked for before it was known
                   : advance(d, rental, Event::rent_accepted, take);
  if (!taken && taken.error().code == Code::wrong_state && rental.instance == row.id) return false;
  if (!taken) return fail(std::move(taken).error());
  log_fact("adopted label=", rental.label, " instance=", row.id.value);
  auto noted = d.ledger.add_event({d.clock.now(), "adopt", rental.label, {{"instance_id", row.id}}});
  return noted.map([] { return true; });
}

/// `asked`: when the list was asked for. What was noted later is newer than the list.
Result<LiveRow> classify(const Deps& d, const Instance& row, TimePoint asked) {
  LiveRow live{LiveRow::Kind::stranger, row, std::nullopt};
  auto found = d.ledger.rental_by_instance(row.id);
  if (!found) return fail(std::move(found).error());
  if (!*found && is_our_label(row.label)) {
    found = d.ledger.rental_by_label(row.label);
    if (!found) return fail(std::move(found).error());
    if (!*found || ((*found)->instance && *(*found)->instance != row.id)) {  // a second contract is nobody's
      live.kind = LiveRow::Kind::orphan;
      return live;
    }
  }
  if (!*found) return live;
  Rental& rental = **found;
  live.kind = LiveRow::Kind::ours;
  if (!rental.instance || rental.status == Status::refused) {
    auto adopted = adopt(d, rental, row);
    if (!adopted) return fail(std::move(adopted).error());
    if (*adopted) live.kind = LiveRow::Kind::adopted;
  }
  Result<void> noted;
  if (rental.status == Status::destroyed && (!rental.ended || *rental.ended < asked)) {
    auto asked_for = was_asked_for(d, rental);
    if (!asked_for) return fail(std::move(asked_for).error());
    const Event back = rental.ready && !*asked_for ? Event::came_back : Event::seen_again;
    noted = advance(d, rental, back, [](Rental& now) { now.ended.reset(); });
    if (noted && back == Event::came_back)
      (void)publish(d, rental, "running");  // others read that it was gone
    live.kind = LiveRow::Kind::returned;
  } else if (row.actual_status == "exited" && rental.status == Status::ready) {
    noted = advance(d, rental, Event::seen_stopped);
  }
  // Another call moved it on meanwhile: then `rental` holds what it wrote.
  if (!noted && noted.error().code != Code::wrong_state) return fail(std::move(noted).error());
  live.rental = rental;
  return live;
}

}  // namespace

const char* to_string(LiveRow::Kind kind) {
  switch (kind) {
    case LiveRow::Kind::ours:
      return "ours";
    case LiveRow::Kind::adopted:
      return "adopted";
    case LiveRow::Kind::returned:
      return "returned";
    case LiveRow::Kind::orphan:
      return "orphan";
    case LiveRow::Kind::stranger:
      return "stranger";
  }
  return "stranger";
}

bool is_our_label(std::string_view label) { return label.starts_with("vg-"); }

std::string new_label(const std::filesystem::path& project) {
  std::string name = plain_name(project.filename().string());
  name.resize(std::min<std::size_t>(name.size(), 32));
  return "vg-" + name + "-" + random_hex(6);
}

Result<Reconciled> reconcile(const Deps& d, std::stop_token stop) {
  // The ledger is read first: a rental that another process opens meanwhile must not look vanished.
  auto open = d.ledger.rentals(/*open_only=*/true);
  if (!open) return fail(std::move(open).error());
  const TimePoint asked = d.clock.now();
  auto list = d.market.instances(stop);
  if (!list) return fail(std::move(list).error().during("listing instances"));

  Reconciled result;
  std::set<InstanceId> listed;
  std::set<std::string> seen_labels;
  for (const Instance& row : *list) {
    auto live = classify(d, row, asked);
    if (!live) return fail(std::move(live).error());
    if (live->kind == LiveRow::Kind::orphan) {  // it bills, so it is written down; a failure leaves it named
      if (auto adopted = adopt_orphan(d, row, {}, {stop, d.clock.now() + kForAdopting}); adopted)
        live->rental = *std::move(adopted);
      else
        log_fact("adopting instance=", row.id.value, " ", adopted.error().what);
    }
    listed.insert(row.id);
    if (live->rental) seen_labels.insert(live->rental->label);
    result.live.push_back(*std::move(live));
  }
  for (Rental& rental : *open) {
    if (seen_labels.contains(rental.label)) continue;
    const auto age = asked - rental.created;
    // The age is that of the intent; the answer to a slow create may be minutes younger.
    const bool certain = rental.instance && rental.ready ? age > kMayBeInvisible : age > kSettledAfter;
    if (!certain) {
      (rental.instance ? result.unseen : result.unsettled).push_back(rental);
      continue;
    }
    if (rental.instance) {  // a second witness before we believe that a machine is gone
      auto row = d.market.instance(*rental.instance, stop);
      if (!row)
        return fail(std::move(row).error().during("looking for instance " + to_string(*rental.instance)));
      bool there = row->has_value();
      if (!there) {  // and a second list, since contracts have come back
        if (!d.clock.sleep_for(kBetweenLists, stop))
          return fail({.code = Code::cancelled, .what = "stopped while reading the list again"});
        auto gone = absent(d, *rental.instance, stop);
        if (!gone) return fail(std::move(gone).error());
        there = !*gone;
      }
      if (there) {
        result.unseen.push_back(rental);
        continue;
      }
    }
    if (auto noted = note_gone(d, rental, "not in the live list"); !noted) {
      if (noted.error().code != Code::wrong_state) return fail(std::move(noted).error());
      if (may_bill(rental.status)) result.unseen.push_back(rental);  // another call was faster
      continue;
    }
    result.vanished.push_back(rental);
  }
  return result;
}

}  // namespace vastgpu
