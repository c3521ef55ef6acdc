#include "fleet/reconcile.h"

#include <set>

#include "core/log.h"
#include "core/text.h"
#include "fleet/gone.h"
#include "fleet/lifecycle.h"

namespace vastgpu {
namespace {

// A new contract may be missing from lists for its first seconds.
constexpr auto kMayBeInvisible = std::chrono::seconds(60);
// After this long with complete lists and no such label, a create without an answer did not happen.
constexpr auto kSettledAfter = std::chrono::minutes(5);

Result<void> adopt(const Deps& d, Rental& rental, const Instance& row) {
  if (auto stepped = step(rental, Event::rent_accepted); !stepped) return stepped;
  rental.instance = row.id;
  rental.ended.reset();
  return d.ledger.update_rental(rental).and_then([&] {
    log_fact("adopted label=", rental.label, " instance=", row.id.value);
    return d.ledger.add_event({d.clock.now(), "adopt", rental.label, {{"instance_id", row.id}}});
  });
}

Result<LiveRow> classify(const Deps& d, const Instance& row) {
  LiveRow live{LiveRow::Kind::stranger, row, std::nullopt};
  auto rental = d.ledger.rental_by_instance(row.id);
  if (!rental) return fail(std::move(rental).error());
  if (!*rental && is_our_label(row.label)) {
    rental = d.ledger.rental_by_label(row.label);
    if (!rental) return fail(std::move(rental).error());
    if (!*rental) {
      live.kind = LiveRow::Kind::orphan;
      return live;
    }
    if (!(*rental)->instance && (*rental)->status != Status::destroying) {
      if (auto adopted = adopt(d, **rental, row); !adopted) return fail(std::move(adopted).error());
      live.kind = LiveRow::Kind::adopted;
      live.rental = **rental;
      return live;
    }
    if (!(*rental)->instance) {  // its destroy was asked for before the contract was known
      (*rental)->instance = row.id;
      if (auto written = d.ledger.update_rental(**rental); !written) return fail(std::move(written).error());
    }
  }
  if (!*rental) return live;
  live.kind = LiveRow::Kind::ours;
  if ((*rental)->status == Status::destroyed) {
    live.kind = LiveRow::Kind::returned;
    if (auto stepped = step(**rental, Event::seen_again); !stepped) return fail(std::move(stepped).error());
    (*rental)->ended.reset();
    if (auto written = d.ledger.update_rental(**rental); !written) return fail(std::move(written).error());
  } else if (row.actual_status == "exited" && (*rental)->status == Status::ready) {
    if (auto stepped = step(**rental, Event::seen_stopped); !stepped) return fail(std::move(stepped).error());
    if (auto written = d.ledger.update_rental(**rental); !written) return fail(std::move(written).error());
  }
  live.rental = **rental;
  return live;
}

}  // namespace

const char* to_string(LiveRow::Kind kind) {
  switch (kind) {
    case LiveRow::Kind::ours: return "ours";
    case LiveRow::Kind::adopted: return "adopted";
    case LiveRow::Kind::returned: return "returned";
    case LiveRow::Kind::orphan: return "orphan";
    case LiveRow::Kind::stranger: return "stranger";
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
    auto live = classify(d, row);
    if (!live) return fail(std::move(live).error());
    listed.insert(row.id);
    if (live->rental) seen_labels.insert(live->rental->label);
    result.live.push_back(*std::move(live));
  }
  for (Rental& rental : *open) {
    if (seen_labels.contains(rental.label)) continue;
    const auto age = asked - rental.created;
    const bool certain = rental.instance ? age > kMayBeInvisible : age > kSettledAfter;
    if (!certain) {
      if (!rental.instance) result.unsettled.push_back(rental);
      continue;
    }
    if (rental.instance) {  // a second witness before we believe that a machine is gone
      auto row = d.market.instance(*rental.instance, stop);
      if (!row) return fail(std::move(row).error().during("looking for instance " + to_string(*rental.instance)));
      if (*row) continue;
    }
    if (auto noted = note_gone(d, rental, "not in the live list"); !noted) return fail(std::move(noted).error());
    result.vanished.push_back(rental);
  }
  return result;
}

}  // namespace vastgpu
