#include "server/pages.h"

#include "core/base64.h"
#include "tests/support/catch.h"
#include "tests/support/fixture_tools.h"
#include "tests/support/wire_client.h"

using namespace vastgpu;

namespace {

json with(const std::string& cursor) { return {{"cursor", cursor}}; }

}  // namespace

TEST_CASE("pages follow each other until every name was given once") {
  const std::vector<std::string> names{"a", "b", "c", "d", "e"};
  const std::size_t size = GENERATE(1, 2, 3, 5, 500);
  CAPTURE(size);
  std::vector<std::string> seen;
  std::string cursor;  // the empty one is the beginning
  int pages = 0;
  do {
    const auto page = page_of(with(cursor), "tools", names, size);
    REQUIRE(page);
    CHECK(page->end - page->begin <= size);
    for (std::size_t i = page->begin; i < page->end; ++i) seen.push_back(names[i]);
    cursor = page->next;
    ++pages;
  } while (!cursor.empty());
  CHECK(seen == names);
  CHECK(pages == static_cast<int>((names.size() + size - 1) / size));
  CHECK(page_of(json::object(), "tools", names, size)->begin == 0);
}

TEST_CASE("a cursor outlives what came into the list before it, and nothing else passes for one") {
  const std::string cursor = page_of(json::object(), "tools", {"b", "c", "d"}, 2)->next;
  CHECK(page_of(with(cursor), "tools", {"a", "b", "c", "d"}, 2)->begin == 3);
  CHECK(page_of(with(cursor), "tools", {"b", "c"}, 2)->begin == 2);  // nothing is left behind it

  CHECK(page_of(with(cursor), "prompts", {"b", "c", "d"}, 2).error().code == kInvalidParams);
  CHECK(page_of(with(cursor), "tools", {"b", "d"}, 2).error().code == kInvalidParams);
  CHECK_FALSE(page_of(with("nonsense"), "tools", {"b"}, 2));
  CHECK_FALSE(page_of(with("%%%"), "tools", {"b"}, 2));
  CHECK_FALSE(page_of(with(std::string(100'000, 'A')), "tools", {"b"}, 2));
  CHECK_FALSE(page_of(with(to_base64("2 tools b")), "tools", {"b"}, 2));
  for (const json& odd : {json(7), json(true), json::object(), json::array()})
    CHECK_FALSE(page_of({{"cursor", odd}}, "tools", {"b"}, 2));
}

TEST_CASE("all four lists come in pages, in both eras") {
  Fixture fixture;
  ServerParts parts = fixture.parts();
  parts.page_size = 1;
  parts.resources.templates.push_back({"demo://more/{id}", "more", "More", "", "text/plain"});
  parts.resources.list = []() -> Result<std::vector<ResourceInfo>> {
    return std::vector<ResourceInfo>{{"demo://a", "a", "", ""}, {"demo://b", "b", "", ""}};
  };
  WireClient client(parts);
  const bool is_new = GENERATE(true, false);
  if (!is_new) client.initialize("2025-11-25");
  const auto ask = [&](int id, const std::string& method, const json& params) {
    return client.ask(is_new ? modern(id, method, params) : legacy(id, method, params));
  };
  struct Row {
    const char* method;
    const char* key;
    std::size_t count;
  };
  int id = 0;
  for (const Row& row :
       {Row{"tools/list", "tools", parts.tools.size()}, Row{"prompts/list", "prompts", 1},
        Row{"resources/list", "resources", 2}, Row{"resources/templates/list", "resourceTemplates", 2}}) {
    CAPTURE(row.method);
    std::size_t seen = 0;
    json cursor = "";
    do {
      const json result = ask(++id, row.method, {{"cursor", cursor}}).at("result");
      seen += result.at(row.key).size();
      cursor = result.value("nextCursor", json());
    } while (!cursor.is_null() && seen < 100);
    CHECK(seen == row.count);
    CHECK(ask(++id, row.method, {{"cursor", "bad"}}).at("error").at("code") == -32602);
  }
}
