#pragma once
// Whether a rental or an extension fits all limits, by what the ledger holds. Called inside the transaction
// that writes it; one thread, as the connection.

#include "core/limits.h"
#include "core/rental.h"
#include "state/ledger.h"
#include "state/sqlite.h"

namespace vastgpu {

struct Spending {
  std::string project;
  std::string label;  ///< its own rows do not count as taken
  Usd worst_case;     ///< of the whole rental
  Usd today;          ///< how much of it this day answers for: all, or what an extension adds
  TimePoint now{};    ///< the day is that of this moment, UTC
  bool new_machine = true;
  std::string envelope = {};  ///< that it draws from; empty: none
  std::string quote_id = {};  ///< the other machines that this quote tried are part of it
};

/// Every limit against the sum of worst cases. A rental that ended counts for its day with what it could have
/// cost until then: its worst case less the GPU price of the unused lease. An extension of a rental from an
/// earlier day counts on the day of the extension.
/// An envelope counts in the same way, and a new machine only while it lasts.
/// @error over_budget  the first limit that does not hold, with the numbers and how to raise it
/// @error not_found    there is no such envelope
Result<void> check_limits(Database& db, const Spending& wanted, const IntentLimits& limits);

/// What the rentals of an envelope have taken, but for the one with that label and the machines that its
/// quote tried before. All machines of one quote draw once: they share its worst case and its lease.
Result<EnvelopeUse> taken_from_envelope(Database& db, const std::string& envelope,
                                        const std::string& but_label, const std::string& but_quote);

/// 00:00 UTC of that day.
TimePoint day_of(TimePoint moment);

}  // namespace vastgpu
