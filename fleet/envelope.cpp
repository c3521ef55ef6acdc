#include "fleet/envelope.h"

#include <charconv>
#include <cmath>
#include <ctime>

#include "analysis/analyse.h"
#include "core/bound.h"
#include "core/text.h"

namespace vastgpu {
namespace {

tl::unexpected<Error> bad_until(const std::string& text, const std::string& why) {
  return fail({.code = Code::invalid_argument,
               .what = "envelope_until '" + clean_line(text, 40) + "' " + why,
               .next_step = "give a local time as 18:00, a UTC time as 2026-10-02T18:00:00Z, or +6h; at most "
                            "31 days ahead"});
}

/// Two digits at the start.
std::optional<int> two_digits(std::string_view s) {
  if (s.size() < 2 || s[0] < '0' || s[0] > '9' || s[1] < '0' || s[1] > '9') return std::nullopt;
  return (s[0] - '0') * 10 + (s[1] - '0');
}

/// "+6h", "+1.5h", "+90m".
std::optional<Duration> parse_span(std::string_view s) {
  if (s.size() < 3 || s.front() != '+') return std::nullopt;
  const double unit = s.back() == 'h' ? 3600e6 : s.back() == 'm' ? 60e6 : 0;
  double n = 0;
  const char* const last = s.data() + s.size() - 1;
  const auto [end, bad] = std::from_chars(s.data() + 1, last, n, std::chars_format::fixed);
  if (unit == 0 || bad != std::errc{} || end != last || !std::isfinite(n) || n < 0 || n > 1e5)
    return std::nullopt;
  return Duration(std::llround(n * unit));
}

std::optional<TimePoint> parse_clock_time(std::string_view s, TimePoint now, Duration local_offset) {
  if (s.size() != 5 || s[2] != ':') return std::nullopt;
  const auto hour = two_digits(s), minute = two_digits(s.substr(3));
  if (!hour || !minute || *hour > 23 || *minute > 59) return std::nullopt;
  const auto midnight = std::chrono::floor<std::chrono::days>(now + local_offset);
  const TimePoint at = midnight + std::chrono::hours(*hour) + std::chrono::minutes(*minute) - local_offset;
  return at > now ? at : at + std::chrono::days(1);
}

}  // namespace

Duration local_offset(TimePoint at) {
  const std::time_t seconds = std::chrono::floor<std::chrono::seconds>(at).time_since_epoch().count();
  std::tm local{};
  if (::localtime_r(&seconds, &local) == nullptr) return {};
  return std::chrono::seconds(local.tm_gmtoff);
}

Result<TimePoint> parse_until(const std::string& text, TimePoint now, Duration offset) {
  const std::string_view s = trim(text);
  TimePoint until{};
  if (const auto span = parse_span(s)) {
    until = now + *span;
  } else if (const auto at = parse_clock_time(s, now, offset)) {
    until = *at;
  } else if (const auto iso = from_iso8601(s)) {
    until = *iso;
  } else {
    return bad_until(text, "is not a time");
  }
  if (until <= now) return bad_until(text, "is past: it is " + to_iso8601(now) + " now");
  if (until > now + kLongestEnvelope) return bad_until(text, "is more than 31 days ahead");
  return until;
}

std::string envelope_id_of(const std::string& quote_id) {
  return "e" + quote_id.substr(1, quote_id.find('.') - 1);
}

Result<void> check_envelope(const Deps& d, const Quote& quote, const EnvelopeWish& wish) {
  if (!std::isfinite(wish.usd.value) || wish.usd.value <= 0 || wish.usd.value > 1e6)
    return fail({.code = Code::invalid_argument,
                 .what = "envelope_usd must be dollars, more than 0 and at most 1000000",
                 .next_step = "say what all rentals of the envelope together may cost"});
  if (wish.rentals < 1 || wish.rentals > kMostEnvelopeRentals)
    return fail({.code = Code::invalid_argument,
                 .what = text("envelope_rentals must be 1 to ", kMostEnvelopeRentals),
                 .next_step = "say how many machines may be rented from the envelope, this one included"});
  if (quote.worst_case > wish.usd)
    return fail({.code = Code::invalid_argument,
                 .what = "envelope_usd is " + money(wish.usd) + ", and this rental alone can cost up to " +
                         at_most(quote.worst_case),
                 .next_step = "give at least that much, or choose a cheaper quote"});
  const std::string id = envelope_id_of(quote.id);
  auto before = d.ledger.envelope(id);
  if (!before) return fail(std::move(before).error());
  if (!*before || ((*before)->max_usd == wish.usd && (*before)->max_rentals == wish.rentals)) return {};
  return fail({.code = Code::wrong_state,
               .what = text("quote ", quote.id, " came with envelope ", id, " of ", money((*before)->max_usd),
                            " for ", (*before)->max_rentals, " rentals before; an envelope does not change"),
               .next_step = "leave envelope_usd out, or call provision for a fresh quote"});
}

Result<SpendingEnvelope> approve_envelope(const Deps& d, const Quote& quote, const EnvelopeWish& wish) {
  if (auto ok = check_envelope(d, quote, wish); !ok) return fail(std::move(ok).error());
  const std::string id = envelope_id_of(quote.id);
  auto before = d.ledger.envelope(id);
  if (!before) return fail(std::move(before).error());
  if (*before) return **before;
  const SpendingEnvelope envelope{id, quote.project, wish.rentals, wish.usd, wish.until, d.clock.now()};
  auto noted = d.ledger.add_event({d.clock.now(),
                                   "envelope",
                                   "",
                                   {{"envelope", id},
                                    {"max_usd", wish.usd},
                                    {"max_rentals", wish.rentals},
                                    {"until", to_iso8601(wish.until)}}});
  if (!noted) return fail(std::move(noted).error());
  if (auto added = d.ledger.add_envelope(envelope); !added) return fail(std::move(added).error());
  return envelope;
}

Result<std::optional<Usd>> project_budget(const std::filesystem::path& project) {
  const ProjectSettings settings = read_project_settings(project);
  if (!settings.budget_unreadable) return settings.max_budget;
  return fail({.code = Code::invalid_argument,
               .what = "nothing was spent: max_budget of " + project.string() + " cannot be read",
               .next_step = "write it as in `- max_budget: 5.00` under `## Vast.ai`"});
}

Result<EnvelopeRoom> room_of(const Deps& d, const std::string& envelope_id) {
  auto found = d.ledger.envelope(envelope_id);
  if (!found) return fail(std::move(found).error());
  if (!*found)
    return fail({.code = Code::not_found,
                 .what = "there is no envelope " + clean_line(envelope_id, 60),
                 .next_step = "call list to see the envelopes of the project"});
  auto use = d.ledger.envelope_use(envelope_id);
  if (!use) return fail(std::move(use).error());
  EnvelopeRoom room{**std::move(found), *use, {}, 0, {}};
  room.usd = std::max(Usd{}, room.envelope.max_usd - use->usd);
  room.rentals = std::max(0, room.envelope.max_rentals - use->rentals);
  if (d.clock.now() > room.envelope.until)
    room.spent = "envelope " + envelope_id + " was approved until " + to_iso8601(room.envelope.until);
  else if (room.rentals == 0)
    room.spent = text("envelope ", envelope_id, " was approved for ", room.envelope.max_rentals,
                      " rentals, and all of them were used");
  else if (room.usd.value <= 0)
    room.spent = "envelope " + envelope_id + " has nothing left of " + money(room.envelope.max_usd);
  return room;
}

json to_facts(const EnvelopeRoom& room) {
  return {{"envelope_id", room.envelope.id},
          {"max_usd", room.envelope.max_usd},
          {"max_rentals", room.envelope.max_rentals},
          {"until", to_iso8601(room.envelope.until)},
          {"taken_usd", std::round(room.use.usd.value * 1e6) / 1e6},
          {"taken_rentals", room.use.rentals},
          {"left_usd", std::round(room.usd.value * 1e6) / 1e6},
          {"left_rentals", room.rentals},
          {"spent", room.spent.empty() ? json(nullptr) : json(room.spent)}};
}

std::string to_words(const EnvelopeRoom& room) {
  return text("envelope ", room.envelope.id, ": up to ", money(room.use.usd), " of ",
              money(room.envelope.max_usd), " taken by ", room.use.rentals, " of ", room.envelope.max_rentals,
              " rentals, until ", to_iso8601(room.envelope.until));
}

}  // namespace vastgpu
