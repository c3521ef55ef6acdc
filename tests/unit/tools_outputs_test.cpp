// What every output schema must be, whichever tool: clients drop a whole list for one that is odd.

#include "tools/outputs.h"

#include <algorithm>
#include <functional>
#include <set>

#include "tests/support/answer_check.h"
#include "tests/support/catch.h"

using namespace vastgpu;

namespace {
const std::vector<std::string> kTools{"provision", "rent",   "setup", "run",     "monitor",
                                      "collect",   "extend", "list",  "destroy", "destroy-all"};

void walk(const json& schema, const std::string& at,
          const std::function<void(const json&, const std::string&)>& look) {
  look(schema, at);
  if (const auto p = schema.find("properties"); p != schema.end())
    for (const auto& [name, part] : p->items()) walk(part, at + "." + name, look);
  if (const auto items = schema.find("items"); items != schema.end()) walk(*items, at + "[]", look);
}
}  // namespace

TEST_CASE("every tool has an output schema of its own that every client can read") {
  std::set<std::string> seen;
  for (const std::string& tool : kTools) {
    CAPTURE(tool);
    const json schema = output_schema(tool);
    CHECK(schema.at("type") == "object");
    CHECK(schema.at("additionalProperties") == true);
    CHECK(seen.insert(schema.dump()).second);
    for (const char* field : {"outcome", "summary", "next"})
      CHECK(std::ranges::find(schema.at("required"), json(field)) != schema.at("required").end());
    CHECK_FALSE(schema.at("properties").at("outcome").at("enum").empty());
    walk(schema, tool, [](const json& part, const std::string& at) {
      CAPTURE(at);
      CHECK(part.contains("type"));
      for (const char* word : {"oneOf", "anyOf", "allOf", "if", "$ref", "$schema", "default"})
        CHECK_FALSE(part.contains(word));
      if (const auto required = part.find("required"); required != part.end())
        for (const json& name : *required) CHECK(part.at("properties").contains(name.get<std::string>()));
      if (at.ends_with("[]")) return;
      const bool described = part.contains("description") || at.find('.') == std::string::npos;
      CHECK(described);
    });
    // A unit, wherever the name says that there is one.
    walk(schema, tool, [](const json& part, const std::string& at) {
      const std::string name = at.substr(at.rfind('.') + 1), words = part.value("description", "");
      const bool number = part["type"] == "number" || part["type"] == json{"number", "null"};
      if (number && (name.starts_with("usd_") || name.ends_with("_usd"))) {
        CAPTURE(at);
        CHECK(words.find("US dollar") != std::string::npos);
      }
    });
  }
}

TEST_CASE("the check of answers sees what is wrong") {
  const json good{{"outcome", "collected"}, {"summary", "s"},
                  {"next", json::array()},  {"instance_id", 7},
                  {"receipt", nullptr},     {"results_folder", "/r"},
                  {"logs_folder", "/l"},    {"receipt_file", "/l/receipt"},
                  {"something_new", 1}};
  CHECK(answer_trouble("collect", good).empty());
  const auto with = [&](const char* key, json value) {
    json changed = good;
    changed[key] = std::move(value);
    return changed;
  };
  CHECK_FALSE(answer_trouble("collect", with("outcome", "eaten")).empty());
  CHECK_FALSE(answer_trouble("collect", with("instance_id", "7")).empty());
  CHECK_FALSE(answer_trouble("collect", with("receipt", {{"complete", true}})).empty());
  CHECK_FALSE(answer_trouble("collect", with("next", json::array({{{"tool", "x"}}}))).empty());
  json less = good;
  less.erase("receipt");
  CHECK_FALSE(answer_trouble("collect", less).empty());
}
