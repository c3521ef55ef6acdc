#include "tools/pages.h"

#include <string_view>

namespace vastgpu {
namespace embedded {
std::string_view page_css();
std::string_view page_js();
std::string_view options_html();
std::string_view rentals_html();
}  // namespace embedded

namespace {

/// Puts what both pages share where the page names it.
void fill(std::string& page, std::string_view mark, std::string_view with) {
  if (const auto at = page.find(mark); at != std::string::npos) page.replace(at, mark.size(), with);
}

}  // namespace

std::string page_of(const std::string& tool) {
  if (tool == "provision") return kOptionsPage;
  if (tool == "list" || tool == "monitor") return kRentalsPage;
  return {};
}

std::optional<ResourceContent> read_page(const std::string& uri) {
  const bool options = uri == kOptionsPage;
  if (!options && uri != kRentalsPage) return std::nullopt;
  ResourceContent page{uri, "text/html;profile=mcp-app",
                       std::string(options ? embedded::options_html() : embedded::rentals_html())};
  fill(page.text, "/* page.css */", embedded::page_css());
  fill(page.text, "/* page.js */", embedded::page_js());
  page.meta["ui"]["prefersBorder"] = true;
  return page;
}

}  // namespace vastgpu
