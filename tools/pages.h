#pragma once
// The pages that a client with MCP Apps shows beside an answer: whole HTML documents inside the program,
// with style and script inline and no network. Any thread.

#include <optional>
#include <string>

#include "tools/resource.h"

namespace vastgpu {

inline constexpr const char* kOptionsPage = "ui://vast-gpu/options";  ///< shows an answer of provision
inline constexpr const char* kRentalsPage = "ui://vast-gpu/rentals";  ///< shows answers of list and monitor

/// The page of a tool's answers; empty: none.
std::string page_of(const std::string& tool);

/// Nothing for any other address. Needs nothing of the outside world.
/// @source MCP Apps 2026-01-26: "text/html;profile=mcp-app", `_meta.ui` of the content item; without `csp`
/// the host lets the page reach nothing, which is what these want
std::optional<ResourceContent> read_page(const std::string& uri);

}  // namespace vastgpu
