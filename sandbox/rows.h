#pragma once
// Offers and instances as the API spells them. Wire names of rows appear here and nowhere else. Pure
// functions.

#include "core/json.h"
#include "sandbox/catalogue.h"
#include "sandbox/contract.h"

namespace vastgpu::sandbox {

/// One row of a search; `storage_gb` is what `dph_total` counts the disk for, `bid` prices it at its floor.
json offer_row(const Box& box, const Chunk& chunk, std::int64_t ask, double now, double storage_gb, bool bid,
               double to_beat);

/// One row of the instance list. `relay_port`: where the relay listens on 127.0.0.1; 0 gives null.
json instance_row(const Contract& c, const Box& box, double now, int relay_port);

/// What the dirty-data fault does to a list of offers; row `i` by its number, always the same.
/// What a host and its machine may write themselves: hostile to terminals, pages and models.
void write_hostile_words(json& row);
void soil_offers(std::vector<json>& rows);
/// Stands for NaN until the text is made: JSON has no such number, and the API sends it all the same.
inline constexpr const char* kNotANumber = "@not-a-number@";
/// The text of an answer, with the marks above as bare NaN.
std::string text_with_nan(const json& body);

}  // namespace vastgpu::sandbox
