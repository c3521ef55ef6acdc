#pragma once
// Envelopes: money that was approved once for several rentals. How one is asked for, approved and shown; what
// it lets through is decided in the ledger (state/spending.h).

#include "fleet/deps.h"

namespace vastgpu {

inline constexpr int kMostEnvelopeRentals = 20;
inline constexpr auto kLongestEnvelope = std::chrono::hours(24 * 31);

/// "2026-10-02T18:00:00Z", "18:00" (the user's local time, today, or tomorrow where that is past), or "+6h",
/// "+90m". Pure. `local_offset`: how far local time is ahead of UTC.
/// @error invalid_argument  none of these, past, or more than 31 days ahead; it names envelope_until
Result<TimePoint> parse_until(const std::string& text, TimePoint now, Duration local_offset);

/// How far this computer's local time is ahead of UTC at that moment.
Duration local_offset(TimePoint at);

struct EnvelopeWish {
  Usd usd;          ///< on the sum of what its rentals can cost
  int rentals = 3;  ///< with the first one
  TimePoint until{};
};

/// Whether it can be approved with that quote; said before anybody is asked for a yes to it.
/// @error as approve_envelope
Result<void> check_envelope(const Deps& d, const Quote& quote, const EnvelopeWish& wish);

/// The id of the envelope that is approved with a quote: "e-3f9a1c".
std::string envelope_id_of(const std::string& quote_id);

/// Approves an envelope together with the rental of a quote, which draws from it. Approving the same again
/// changes nothing.
/// @error invalid_argument  the quote alone can cost more than the envelope; or its numbers are absurd
/// @error wrong_state  this quote came with another envelope before
Result<SpendingEnvelope> approve_envelope(const Deps& d, const Quote& quote, const EnvelopeWish& wish);

/// The project's max_budget as it stands now.
/// @error invalid_argument  one was meant and cannot be read: nothing may be spent
Result<std::optional<Usd>> project_budget(const std::filesystem::path& project);

/// What an envelope still lets through for a rental that begins now.
struct EnvelopeRoom {
  SpendingEnvelope envelope;
  EnvelopeUse use;
  Usd usd;            ///< left of its money
  int rentals = 0;    ///< left of its number
  std::string spent;  ///< why nothing more can be rented from it; empty when something can
};
/// @error not_found
Result<EnvelopeRoom> room_of(const Deps& d, const std::string& envelope_id);

json to_facts(const EnvelopeRoom& room);
/// "envelope e-3f9a1c: up to $2.10 of $6.00 taken by 1 of 3 rentals, until 2026-10-02T18:00:00Z".
std::string to_words(const EnvelopeRoom& room);

}  // namespace vastgpu
