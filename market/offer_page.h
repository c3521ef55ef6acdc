#pragma once
// The answer to a search, read from its text straight into offers: no document in between, since everything
// on offer at once is 70 MB of text and would be 500 MB of document. Pure; any thread.

#include <string>
#include <vector>

#include "core/error.h"
#include "market/offer.h"

namespace vastgpu {

struct OfferPage {
  std::vector<Offer>
      offers;  ///< one per id: the row with the best score. Rows without id, price or card are left out
  std::size_t rows = 0;  ///< as listed, repeated and unreadable ones included
  bool refused = false;  ///< the answer says `success: false`; then there may be no list
};

/// Any field of a row may be null, text, missing, repeated or absurd. `text` is mended where it is no proper
/// JSON (market/json_mend.h).
/// @error corrupt  no JSON, nested too deeply, no list of offers, rows of which none can be read, or more
/// offers than any
///                 market has: what is on offer is unknown then, which is not "nothing"
Result<OfferPage> read_offer_page(std::string& text);

}  // namespace vastgpu
