#include "fleet/renew.h"

#include <algorithm>

#include "core/bound.h"
#include "core/text.h"
#include "fleet/lease.h"
#include "fleet/price_watch.h"
#include "fleet/record.h"

namespace vastgpu {
namespace {

constexpr double kReserve = 1.1;                  // a tenth over what the log promises
constexpr Hours kWhenUnknown{1};                  // the log tells nothing: an hour at a time
constexpr Hours kHomeTakes{1.0 / 6};              // after the last step, results still have to come home
constexpr Hours kSmallestStep{0.25};              // each renewal is a row in the audit and a connection
constexpr auto kFresh = std::chrono::minutes(3);  // heartbeats come every 15 s

Hours lease_left(const Rental& rental, TimePoint now) {
  return std::chrono::duration_cast<Hours>(rental.lease_end - now);
}

/// The longest that any living experiment says it needs; nothing where one of them does not say.
std::optional<Hours> longest_eta(const MachineLook& look, TimePoint now) {
  std::optional<Hours> longest;
  for (const JobLook& j : look.jobs) {
    if (!is_alive(j, now)) continue;
    const auto eta = time_left(j.so_far.progress, j.so_far.ran);
    if (!eta) return std::nullopt;
    longest = std::max(longest.value_or(Hours(0)), *eta);
  }
  return longest;
}

}  // namespace

Usd renewable_to(Usd worst_case, const Result<AccountSettings>& account, const ProjectSettings& project,
                 const std::optional<SpendingEnvelope>& envelope) {
  const bool wanted =
      account && account->auto_extend && project.auto_extend.value_or(true) && !project.budget_unreadable;
  if (!wanted) return worst_case;
  if (project.max_budget) return std::max(worst_case, *project.max_budget);
  return envelope ? std::max(worst_case, envelope->max_usd) : worst_case;
}

std::string renewal_words(Usd worst_case, Usd renewable, std::optional<Usd> budget) {
  if (renewable <= worst_case) return {};
  return "; while its experiment runs on it may be renewed up to " +
         (budget == renewable ? "your max_budget of " + at_most(renewable) : at_most(renewable) + " in all");
}

std::optional<Hours> renewal_needed(Hours left, std::optional<Hours> eta) {
  if (!eta) {
    if (left >= Hours(kLeaseNearlyOver)) return std::nullopt;
    return kWhenUnknown;
  }
  const Hours missing = *eta * kReserve + kHomeTakes - left;
  if (left >= Hours(kLeaseNearlyOver) && *eta <= left) return std::nullopt;
  if (missing <= Hours(0)) return std::nullopt;
  return std::max(missing, kSmallestStep);
}

Hours renewal_allowed(const Rental& rental, std::optional<TimePoint> host_ends) {
  const UsdPerHour price = dearest_price(rental);
  const Usd rest = rental.renew_to - rental.worst_case;
  if (!(price.value > 0) || !(rest.value > 0)) return Hours(0);
  // A hair less than what is allowed: the sum is made again, in another order.
  Hours most(rest / Usd{price.value} * (1 - 1e-9));
  if (host_ends)
    most = std::min(most, std::chrono::duration_cast<Hours>(*host_ends - kBeforeHostEnds - rental.lease_end));
  return std::max(most, Hours(0));
}

std::string why_not_renewed(const Rental& rental, const Result<AccountSettings>& account,
                            const ProjectSettings& project) {
  if (rental.adopted) return "it was adopted, and nobody said what it may cost";
  if (!account) return "settings.json cannot be read";
  if (!account->auto_extend) return "auto_extend is false in settings.json";
  if (!project.auto_extend.value_or(true)) return "auto_extend is false in the project";
  if (project.budget_unreadable) return "max_budget cannot be read";
  const bool somebody_said = project.max_budget.has_value() || !rental.envelope.empty();
  if (!(rental.renew_to.value > 0) || (rental.renew_to <= rental.worst_case && !somebody_said))
    return "no max_budget says up to what";
  if (!(renewal_allowed(rental, std::nullopt) >= Hours(kShortestLease)))
    return "it can cost " + money(rental.worst_case) + " already, and it may be renewed up to " +
           money(rental.renew_to);
  return {};
}

bool is_alive(const JobLook& job, TimePoint now) {
  return job.job.state == JobState::running &&
         job.heartbeat_age.value_or(now - job.job.started) < Duration(kFresh);
}

Result<Renewal> renew(const Deps& d, Rental& rental, const MachineLook& look,
                      std::optional<TimePoint> host_ends, const Caller& caller) {
  const TimePoint now = d.clock.now();
  if (std::ranges::none_of(look.jobs, [&](const JobLook& j) { return is_alive(j, now); })) return Renewal{};
  const Hours left = lease_left(rental, now);
  if (left <= Hours(0)) return Renewal{};  // its guard stops it now
  const auto needed = renewal_needed(left, longest_eta(look, now));
  if (!needed) return Renewal{};
  const std::string ends = "its lease ends in " + hours(left) + " and is not renewed: ";
  const ProjectSettings project = read_project_settings(rental.project);
  if (const std::string no = why_not_renewed(rental, d.settings.account, project); !no.empty())
    return Renewal{false, ends + no};
  const Hours by = std::min(*needed, renewal_allowed(rental, host_ends));
  if (by < Hours(kShortestLease))
    return Renewal{false, ends + (host_ends ? "the host takes the machine away at " + to_iso8601(*host_ends)
                                            : "nothing is left of what it may cost")};
  auto moved = extend(d, *rental.instance, by,
                      {.budget = project.max_budget,
                       .most = rental.renew_to,
                       .only_from = rental.lease_end,
                       .why = "renewed: its experiment runs on"},
                      caller);
  if (!moved) {
    if (auto read = refresh(d, rental); !read) return fail(std::move(read).error());
    return Renewal{false, ends + moved.error().what};
  }
  rental = moved->rental;
  return Renewal{true, "lease renewed by " + hours(by) + " for up to " + money(moved->added) + " more" +
                           (moved->machine_told ? "" : " (its guard could not be told yet)")};
}

}  // namespace vastgpu
