#include "tools/pages.h"

#include "tests/support/catch.h"

using namespace vastgpu;

TEST_CASE("the two pages are whole documents, and nothing else is one") {
  for (const char* uri : {kOptionsPage, kRentalsPage}) {
    const auto page = read_page(uri);
    REQUIRE(page);
    CHECK(page->uri == uri);
    CHECK(page->mime_type == "text/html;profile=mcp-app");
    CHECK(page->text.starts_with("<!DOCTYPE html>"));
    CHECK(page->text.find("ui/initialize") != std::string::npos);
    CHECK(page->text.find("prefers-color-scheme") != std::string::npos);
    CHECK(page->text.find("innerHTML") == std::string::npos);
    CHECK_FALSE(page->meta["ui"].contains("csp"));
  }
  CHECK_FALSE(read_page("ui://vast-gpu/"));
  CHECK_FALSE(read_page("ui://vast-gpu/options/x"));
  CHECK(page_of("provision") == kOptionsPage);
  CHECK(page_of("list") == kRentalsPage);
  CHECK(page_of("monitor") == kRentalsPage);
  CHECK(page_of("rent").empty());
}
