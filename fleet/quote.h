#pragma once
// From a task profile to three quotes in the ledger. Never rents.

#include "analysis/analyse.h"
#include "fleet/deps.h"
#include "fleet/options.h"
#include "fleet/relax.h"

namespace vastgpu {

struct QuoteRequest {
  std::filesystem::path project;
  TaskProfile profile;
  std::optional<Usd> budget;  ///< hard limit on the worst case of one rental
  bool interruptible = false;
  std::optional<Hours> lease;  ///< instead of the one computed from the work
  Demands demands = {};
};

struct QuotedOption {
  Quote quote;
  Option option;
};

/// An interruptible machine beside the three options: where it suits the work and is cheaper than all of
/// them.
struct Proposal {
  QuotedOption quoted;
  Usd saves;                 ///< against the cheapest option
  std::string interruption;  ///< what one would cost, in words
};

struct QuoteResult {
  std::vector<QuotedOption> options;  ///< cheapest, best value, fastest; empty when nothing fits
  std::size_t offers_seen = 0;
  std::map<std::string, int> dropped;
  std::optional<Usd> cheapest_over_budget;  ///< set when the budget alone excludes everything
  std::optional<Proposal> proposal;
  std::vector<Relaxation> relaxations;  ///< only when nothing fits
  std::vector<std::string> notes;       ///< what could not be looked up, and advice
  LeaseEnd at_end = LeaseEnd::stop;     ///< what the guard will do when the lease is over
};

/// Does the work suit an interruptible machine? Long work that checkpoints loses little by a pause, and a
/// tiny run little by starting again.
bool suits_interruptible(const TaskProfile& profile);

/// Several searches (broad by price, by value, by speed), one screening, quotes stored. Where nothing fits, a
/// wider search tells what giving up one requirement would bring.
/// @error unauthenticated, rate_limited, unavailable  from the marketplace
Result<QuoteResult> make_quotes(const Deps& d, const QuoteRequest& request, std::stop_token stop);

/// A quote for an offer the user named. Nothing is screened but what cannot work at all.
/// @error not_found  the offer is no longer listed
Result<Quote> quote_offer(const Deps& d, const QuoteRequest& request, OfferId offer, std::stop_token stop);

/// A quote for the same work on another machine than those in `not_these`, the cheapest whose worst case, and
/// that of its stand-ins, is at most request.budget. None where nothing fits.
/// @error as make_quotes
Result<std::optional<Quote>> quote_another(const Deps& d, const QuoteRequest& request,
                                           const std::set<MachineId>& not_these, std::stop_token stop);

/// As quote_another, but only what it would be: nothing is stored.
Result<std::optional<Candidate>> find_another(const Deps& d, const QuoteRequest& request,
                                              const std::set<MachineId>& not_these, std::stop_token stop);

/// The option as results show it.
json to_facts(const QuotedOption& o);
json to_facts(const Proposal& p);
json to_facts(const Relaxation& r);

}  // namespace vastgpu
