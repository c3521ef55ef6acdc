#pragma once
// Near-JSON made JSON. Hosts write numbers and names of their own into the marketplace's answers, and one of
// them must not make a page of offers unreadable. Pure; any thread.

#include <cstddef>
#include <string>
#include <string_view>

namespace vastgpu {

/// Repairs, in one pass and without changing the length: bare NaN and infinities and numbers that no double
/// holds become an empty text (so they read as "not known"); bytes that are not UTF-8, control characters and
/// broken escapes inside texts become '?' or a blank. Everything else stays as it is, broken or not. Returns
/// the number of places that were changed.
/// @source answers of the search endpoint have held bare NaN
std::size_t mend_json(std::string& text);

/// Whether a look ahead finds what parsers would stop at: quick, and also true for such words inside texts.
bool may_hold_bare_words(std::string_view text);

}  // namespace vastgpu
