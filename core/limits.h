#pragma once
// The limits on what may be spent: those of the account from settings.json, and which of them hold for one
// call. Plain values; any thread.

#include <array>
#include <filesystem>
#include <optional>
#include <string>

#include "core/error.h"
#include "core/units.h"

namespace vastgpu {

/// What settings.json may set; an absent one does not limit. All of them count every project of the account.
struct AccountLimits {
  std::optional<Usd> per_rental = {};  ///< max_usd_per_rental: on the worst case of one rental
  std::optional<Usd> per_day = {};     ///< max_usd_per_day: on what the rentals since 00:00 UTC can cost
  std::optional<Usd> open = {};        ///< max_usd_open: on the sum of worst cases of open rentals
  std::optional<int> machines = {};    ///< max_machines: on the number of open rentals
  bool sets_dollars() const { return per_rental || per_day || open; }
};

// Enough for what one person tries in a day on a few consumer cards, and a loss that does not hurt much.
inline constexpr Usd kDefaultPerRental{10};
inline constexpr Usd kDefaultPerDay{25};

/// The keys of the settings file that are dollars.
struct DollarKey {
  const char* name;
  std::optional<Usd> AccountLimits::*field;
};
inline constexpr std::array kDollarKeys{DollarKey{"max_usd_per_rental", &AccountLimits::per_rental},
                                        DollarKey{"max_usd_per_day", &AccountLimits::per_day},
                                        DollarKey{"max_usd_open", &AccountLimits::open}};

/// What the ledger holds one rental or extension against, in one transaction.
struct IntentLimits {
  std::optional<Usd> project_budget = {};  ///< on the sum of worst cases of the project's open rentals
  AccountLimits account = {};
  bool by_default = false;         ///< the dollars in `account` are our defaults, nobody set them
  std::string settings_file = {};  ///< where `account` is set, for messages
};

/// The limits that hold. Where settings.json sets no dollar limit: kDefaultPerDay, or the project's budget
/// where that is more, and kDefaultPerRental where neither the project nor the call says what a rental may
/// cost.
IntentLimits limits_for(const AccountLimits& set, const std::filesystem::path& settings_file,
                        std::optional<Usd> project_budget, std::optional<Usd> call_limit);

/// "raise max_usd_per_day in /home/x/settings.json to at least 30.25": what lets an amount through. Rounded
/// up.
std::string how_to_raise(const IntentLimits& limits, const std::string& key, double least);

}  // namespace vastgpu
