#include "tools/pages.h"

#include "server/house.h"
#include "tests/support/catch.h"
#include "tests/support/temp_folder.h"
#include "tools/all_tools.h"

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

TEST_CASE("a page can be watched like everything else that can be read") {
  const TempFolder folder;
  HouseSettings settings;
  settings.home = settings.state_folder = folder.path();
  settings.variable = [](const char*) { return std::optional<std::string>(); };
  const auto house = House::make(std::move(settings));
  REQUIRE(house);
  const ResourceCatalogue all = all_resources(**house);
  CHECK(all.marks.of(kOptionsPage));
  CHECK(all.marks.of(kRentalsPage));
  CHECK_FALSE(all.marks.of("ui://vast-gpu/nothing"));
}
