#pragma once
// Which known name a misspelled one may have meant. Pure; any thread.

#include <string>
#include <string_view>
#include <vector>

namespace vastgpu {

/// How many letters have to change to make one name of the other; case does not count. Looks at the first 80
/// bytes of each.
std::size_t edit_distance(std::string_view a, std::string_view b);

/// The nearest of `known`; empty when even that one is another word rather than a slip.
std::string nearest_name(std::string_view name, const std::vector<std::string>& known);

}  // namespace vastgpu
