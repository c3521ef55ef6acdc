#pragma once
// What is asked of the marketplace for a quote. Each search is cut at its limit, so several views of one
// market are taken until they show what matters.

#include "fleet/deps.h"
#include "fleet/quote.h"

namespace vastgpu {

/// Offers for these needs: cheap ones, good value, fast ones, and large-memory ones; one per id. One search
/// where the first shows everything, else four.
Result<std::vector<Offer>> search_broadly(const Deps& d, const QuoteRequest& request, std::stop_token stop);

/// The cheapest interruptible ones, in one search.
Result<std::vector<Offer>> search_bids(const Deps& d, const QuoteRequest& request, std::stop_token stop);

/// What there is without most of the requirements: any reliability, region, network, disk, number of GPUs,
/// and down to the memory of the profile's alternatives (where it has none: the largest cards there are).
Result<std::vector<Offer>> search_widely(const Deps& d, const QuoteRequest& request, std::stop_token stop);

}  // namespace vastgpu
