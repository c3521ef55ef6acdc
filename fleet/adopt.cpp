#include "fleet/adopt.h"

#include "core/log.h"
#include "core/text.h"
#include "fleet/lifecycle.h"
#include "fleet/reach.h"
#include "fleet/record.h"

namespace vastgpu {
namespace {

constexpr std::string_view kNote = "adopted: it carried our label and was not in this ledger";
constexpr auto kLongestLease = std::chrono::hours(24 * 366);

std::string sent_along(const Instance& row, std::string_view name) {
  for (const auto& [key, value] : row.env)
    if (key == name) return value;
  return {};
}

/// What the create sent along says of the lease; the machine may have been extended since.
struct SentLease {
  TimePoint end{};
  Usd worst_case;
  LeaseEnd at_end = LeaseEnd::stop;
};
std::optional<SentLease> sent_lease(const Instance& row, TimePoint created) {
  const json sent{{"end", sent_along(row, "VG_LEASE_END")}, {"worst", sent_along(row, "VG_WORST_USD")}};
  const auto end = read_integer(sent, "end");
  const auto worst = read_number(sent, "worst");
  const auto at_end = parse_lease_end(sent_along(row, "VG_AT_END"));
  if (!end || !worst || !at_end || !(*worst >= 0 && *worst < 1e6)) return std::nullopt;
  const double latest = to_unix_seconds(created + kLongestLease);
  if (static_cast<double>(*end) <= to_unix_seconds(created) - 3600 || static_cast<double>(*end) > latest)
    return std::nullopt;
  return SentLease{from_unix_seconds(static_cast<double>(*end)), Usd{*worst}, *at_end};
}

/// Where it stands, as far as the marketplace says. Its SSH address is taken from there too, and its host key
/// is seen for the first time.
Rental rental_from(const Deps& d, const Instance& row, const std::filesystem::path& project,
                   std::string label) {
  const TimePoint now = d.clock.now();
  Rental r;
  r.label = std::move(label);
  r.project = (project.empty() ? d.settings.state_folder / "adopted" / r.label : project).string();
  r.machine = row.machine;
  r.instance = row.id;
  r.gpu_name = clean_line(row.gpu_name, 60);
  r.num_gpus = row.num_gpus;
  r.price = row.price;
  r.interruptible = row.is_bid;
  r.image = clean_line(row.image, 200);
  r.disk = row.disk_space;
  r.created = std::min(row.started.value_or(now), now);
  r.ready = r.created;  // somebody may have worked on it: nothing is destroyed as if nobody could
  r.ssh = row.direct ? row.direct : row.relay;
  r.status = row.actual_status == "exited" || !r.ssh ? Status::stopped : Status::ready;
  r.note = kNote;
  r.adopted = true;
  r.lease_end = now;  // unknown: nothing may lengthen what its guard holds
  r.worst_case = r.price * std::chrono::duration_cast<Hours>(now - r.created);  // what is certain until now
  if (const auto sent = sent_lease(row, r.created)) {
    r.lease_end = sent->end;
    r.worst_case = std::max(r.worst_case, sent->worst_case);
    r.at_end = sent->at_end;
    // Rented from here: a lost ledger, not another computer.
    r.adopted = d.settings.owner.empty() || sent_along(row, "VG_OWNER") != d.settings.owner;
  }
  return r;
}

}  // namespace

Result<Rental> adopt_orphan(const Deps& d, const Instance& row, const std::filesystem::path& project,
                            const Caller& caller) {
  const auto lock = lock_rental(d, "adopt-" + to_string(row.id), caller);
  if (!lock) return fail(lock.error());
  auto known = d.ledger.rental_by_instance(row.id);
  if (!known) return fail(std::move(known).error());
  if (*known) return **std::move(known);  // another call was faster
  std::string label = row.label;
  auto taken = d.ledger.rental_by_label(label);
  if (!taken) return fail(std::move(taken).error());
  if (*taken || !is_plain_name(label)) label = "vg-adopted-" + to_string(row.id);
  const Rental rental = rental_from(d, row, project, std::move(label));
  auto written = d.ledger.open_intent(rental, {}).and_then([&] {
    return d.ledger.add_event({d.clock.now(),
                               "adopt",
                               rental.label,
                               {{"instance_id", row.id}, {"label", clean_line(row.label, 120)}}});
  });
  if (!written) return fail(std::move(written).error().during("adopting instance " + to_string(row.id)));
  log_fact("adopted label=", rental.label, " instance=", row.id.value);
  return rental;
}

bool is_homeless(const Deps& d, const Rental& rental) {
  return std::filesystem::path(rental.project).parent_path() == d.settings.state_folder / "adopted";
}

Result<void> give_project(const Deps& d, Rental& rental, const std::filesystem::path& project) {
  if (!is_homeless(d, rental)) return {};
  return amend(d, rental, [&](Rental& now) { now.project = project.string(); });
}

}  // namespace vastgpu
