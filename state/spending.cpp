#include "state/spending.h"

#include <chrono>

#include "core/text.h"
#include "state/ledger_rows.h"

namespace vastgpu {
namespace {

constexpr double kRounding = 1e-9;  // ten times ten cents are not more than a dollar

struct Taken {
  Usd project, open, today;
  std::int64_t machines = 0;
};

// Times in the ledger are microseconds, prices are per hour.
// The stand-ins of a quote ("q-1a2b.2") are rented under its one worst case and lease: all of them draw once.
constexpr const char* kFromEnvelope = R"sql(
SELECT count(*), coalesce(sum(could_cost), 0.0)
FROM (SELECT max(CASE WHEN status = 'destroyed' AND ended IS NOT NULL
                      THEN max(0.0, worst_case - price * max(0, lease_end - ended) / 3600000000.0)
                      ELSE worst_case END) AS could_cost,
             CASE WHEN quote_id = '' THEN label
                  ELSE substr(quote_id, 1, instr(quote_id || '.', '.') - 1) END AS first_quote
      FROM rentals WHERE envelope = ? AND label <> ? AND status <> 'refused'
      GROUP BY first_quote)
WHERE first_quote <> ?
)sql";

constexpr const char* kSums = R"sql(
SELECT coalesce(sum(CASE WHEN may_bill AND project = ? THEN worst_case END), 0.0),
       coalesce(sum(CASE WHEN may_bill THEN worst_case END), 0.0),
       coalesce(sum(CASE WHEN created >= ? AND status <> 'refused' THEN could_cost END), 0.0),
       coalesce(sum(may_bill), 0)
FROM (SELECT label, project, created, status, worst_case, status NOT IN ('destroyed', 'refused') AS may_bill,
             CASE WHEN status = 'destroyed' AND ended IS NOT NULL
                  THEN max(0.0, worst_case - price * max(0, lease_end - ended) / 3600000000.0)
                  ELSE worst_case END AS could_cost
      FROM rentals WHERE label <> ?)
)sql";

constexpr const char* kExtensions = R"sql(
SELECT coalesce(sum(extensions.added), 0.0) FROM extensions JOIN rentals USING (label)
WHERE extensions.at >= ? AND rentals.created < ?
)sql";

Result<Taken> taken_now(Database& db, const Spending& wanted) {
  const TimePoint midnight = day_of(wanted.now);
  auto sums = db.prepare(kSums);
  if (!sums) return fail(std::move(sums).error());
  rows::put(*sums, wanted.project), rows::put(*sums, midnight), rows::put(*sums, wanted.label);
  if (auto row = sums->step(); !row) return fail(std::move(row).error());
  auto grown = db.prepare(kExtensions);
  if (!grown) return fail(std::move(grown).error());
  rows::put(*grown, midnight), rows::put(*grown, midnight);
  if (auto row = grown->step(); !row) return fail(std::move(row).error());
  return Taken{{sums->real(0)}, {sums->real(1)}, {sums->real(2) + grown->real(0)}, sums->integer(3)};
}

bool fits(Usd taken, Usd wanted, const std::optional<Usd>& limit) {
  return !limit || taken.value + wanted.value <= limit->value + kRounding;
}

tl::unexpected<Error> over(const std::string& what, const std::string& next_step) {
  return fail({.code = Code::over_budget, .what = what, .next_step = next_step});
}

Result<void> check_envelope(Database& db, const Spending& wanted) {
  if (wanted.envelope.empty()) return {};
  const auto found = rows::select_one<SpendingEnvelope>(db, "envelopes WHERE id = ?", wanted.envelope);
  if (!found) return fail(found.error());
  if (!*found)
    return fail({.code = Code::not_found,
                 .what = "there is no envelope " + clean_line(wanted.envelope, 60),
                 .next_step = "approve one with rent, or rent without it"});
  const SpendingEnvelope& envelope = **found;
  const auto taken = taken_from_envelope(db, envelope.id, wanted.label, wanted.quote_id);
  if (!taken) return fail(taken.error());
  const std::string ask = "ask the user, and rent with a quote_id of its own";
  if (wanted.new_machine && wanted.now > envelope.until)
    return over(text("envelope ", envelope.id, " was approved until ", to_iso8601(envelope.until)), ask);
  if (wanted.new_machine && taken->rentals >= envelope.max_rentals)
    return over(text("envelope ", envelope.id, " was approved for ", envelope.max_rentals,
                     envelope.max_rentals == 1 ? " rental" : " rentals", ", and all of them were used"),
                ask);
  if (!fits(taken->usd, wanted.worst_case, envelope.max_usd))
    return over(text("this could cost up to ", money(wanted.worst_case), ", the other rentals of envelope ",
                     envelope.id, " up to ", money(taken->usd), ", and it was approved for ",
                     money(envelope.max_usd)),
                ask);
  return {};
}

}  // namespace

Result<EnvelopeUse> taken_from_envelope(Database& db, const std::string& envelope,
                                        const std::string& but_label, const std::string& but_quote) {
  auto sums = db.prepare(kFromEnvelope);
  if (!sums) return fail(std::move(sums).error());
  rows::put(*sums, envelope), rows::put(*sums, but_label);
  rows::put(*sums, but_quote.substr(0, but_quote.find('.')));
  if (auto row = sums->step(); !row) return fail(std::move(row).error());
  return EnvelopeUse{static_cast<int>(sums->integer(0)), {sums->real(1)}};
}

TimePoint day_of(TimePoint moment) { return std::chrono::floor<std::chrono::days>(moment); }

Result<void> check_limits(Database& db, const Spending& wanted, const IntentLimits& limits) {
  const auto found = taken_now(db, wanted);
  if (!found) return fail(found.error());
  const AccountLimits& account = limits.account;
  const std::string could = "this could cost up to " + money(wanted.worst_case);
  const std::string whose = limits.by_default ? " (the default: settings.json sets no limit)" : "";
  const auto raise = [&](const char* key, double least) {
    return "ask the user to " + how_to_raise(limits, key, least);
  };
  const std::string cheaper = ", or choose something cheaper or shorter";
  const std::string destroy =
      ", choose something cheaper or shorter, or destroy a rental that is no longer needed";

  if (!fits(found->project, wanted.worst_case, limits.project_budget))
    return over(text(could, ", the project's open rentals up to ", money(found->project),
                     ", and the budget is ", money(*limits.project_budget)),
                text("ask the user to raise max_budget in CLAUDE.md to at least ",
                     money(found->project + wanted.worst_case), destroy));
  if (!fits({}, wanted.worst_case, account.per_rental))
    return over(text(could, ", and the limit is ", money(*account.per_rental), " a rental", whose),
                raise("max_usd_per_rental", wanted.worst_case.value) + cheaper);
  if (wanted.new_machine && account.machines && found->machines >= *account.machines)
    return over(text(found->machines, " rentals of the account are open, and the limit is ",
                     *account.machines, *account.machines == 1 ? " machine" : " machines"),
                raise("max_machines", static_cast<double>(found->machines + 1)) +
                    ", or destroy a rental that is no longer needed");
  if (!fits(found->open, wanted.worst_case, account.open))
    return over(text(could, ", the account's other open rentals up to ", money(found->open),
                     ", and the limit is ", money(*account.open), " for all that are open"),
                raise("max_usd_open", found->open.value + wanted.worst_case.value) + destroy);
  if (!fits(found->today, wanted.today, account.per_day))
    return over(
        text("this could cost up to ", money(wanted.today), " more, what was rented since 00:00 UTC up to ",
             money(found->today), ", and the limit is ", money(*account.per_day), " a day", whose),
        raise("max_usd_per_day", found->today.value + wanted.today.value) + cheaper +
            ", or wait until 00:00 UTC");
  return check_envelope(db, wanted);
}

}  // namespace vastgpu
