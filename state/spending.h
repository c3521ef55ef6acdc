#pragma once
// Whether a rental or an extension fits all limits, by what the ledger holds. Called inside the transaction
// that writes it; one thread, as the connection.

#include "core/limits.h"
#include "core/rental.h"
#include "state/sqlite.h"

namespace vastgpu {

struct Spending {
  std::string project;
  std::string label;  ///< its own rows do not count as taken
  Usd worst_case;     ///< of the whole rental
  Usd today;          ///< how much of it this day answers for: all, or what an extension adds
  TimePoint now{};    ///< the day is that of this moment, UTC
  bool new_machine = true;
};

/// Every limit against the sum of worst cases. A rental that ended counts for its day with what it could have
/// cost until then: its worst case less the GPU price of the unused lease. An extension of a rental from an
/// earlier day counts on the day of the extension.
/// @error over_budget  the first limit that does not hold, with the numbers and how to raise it
Result<void> check_limits(Database& db, const Spending& wanted, const IntentLimits& limits);

/// 00:00 UTC of that day.
TimePoint day_of(TimePoint moment);

}  // namespace vastgpu
