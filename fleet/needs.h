#pragma once
// What a rental was searched for, kept with its quote, so that another machine for the same work can be found
// later without reading the project again. Pure functions.

#include "core/rental.h"
#include "fleet/quote.h"

namespace vastgpu {

/// The part of a request that a search and a price need, as JSON.
json needs_facts(const QuoteRequest& request);

/// Back from a stored quote. A quote from before needs were kept gives what its own columns say: the memory
/// of its card, its disk and image, the usual demands.
QuoteRequest needs_of(const Quote& quote);

}  // namespace vastgpu
