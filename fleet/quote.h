#pragma once
// From a task profile to three quotes in the ledger. Never rents.

#include "analysis/analyse.h"
#include "fleet/deps.h"
#include "fleet/options.h"

namespace vastgpu {

struct QuoteRequest {
  std::filesystem::path project;
  TaskProfile profile;
  std::optional<Usd> budget;  ///< hard limit on the worst case of one rental
  bool interruptible = false;
  std::optional<Hours> lease;  ///< instead of the one computed from the work
};

struct QuotedOption {
  Quote quote;
  Option option;
};

struct QuoteResult {
  std::vector<QuotedOption> options;  ///< cheapest, best value, fastest; empty when nothing fits
  std::size_t offers_seen = 0;
  std::map<std::string, int> dropped;
  std::optional<Usd> cheapest_over_budget;  ///< set when the budget alone excludes everything
};

/// Several searches (broad by price, by value, by speed), one screening, quotes stored.
/// @error unauthenticated, rate_limited, unavailable  from the marketplace
Result<QuoteResult> make_quotes(const Deps& d, const QuoteRequest& request, std::stop_token stop);

/// A quote for an offer the user named. Nothing is screened but what cannot work at all.
/// @error not_found  the offer is no longer listed
Result<Quote> quote_offer(const Deps& d, const QuoteRequest& request, OfferId offer, std::stop_token stop);

/// The option as results show it.
json to_facts(const QuotedOption& o);

}  // namespace vastgpu
