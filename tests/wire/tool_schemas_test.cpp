// The ten tools as clients of each revision see them, against what is under version control: one file a tool.
// UPDATE_SNAPSHOTS=1 writes the files anew; their difference is reviewed like code.

#include <cstdlib>
#include <map>
#include <set>

#include "core/files.h"
#include "core/text.h"
#include "server/child.h"
#include "tests/support/catch.h"
#include "tests/support/temp_folder.h"
#include "tests/support/wire_client.h"

using namespace vastgpu;

namespace {

/// tools/list of a server of its own.
json listed(const std::string& revision) {
  const TempFolder folder;
  auto server = Child::start(
      {VASTGPU_BINARY, "-q", "serve"},
      {{"HOME", folder.path().string()}, {"VAST_GPU_STATE", (folder.path() / "state").string()}}, "");
  REQUIRE(server);
  const auto ask = [&](const json& request) {
    REQUIRE(server->write_line(dump(request)));
    const auto line = server->read_line(std::chrono::seconds(30));
    REQUIRE(line);
    const auto message = parse_json(*line, "an answer");
    REQUIRE(message);
    REQUIRE(message->contains("result"));
    return (*message)["result"];
  };
  json tools;
  if (revision == "2026-07-28") {
    tools = ask(modern(1, "tools/list"))["tools"];
  } else {
    const json hello = ask(legacy(1, "initialize",
                                  {{"protocolVersion", revision},
                                   {"capabilities", json::object()},
                                   {"clientInfo", {{"name", "t"}, {"version", "1"}}}}));
    REQUIRE(hello["protocolVersion"] == revision);
    tools = ask(legacy(2, "tools/list"))["tools"];
  }
  CHECK(server->finish(std::chrono::seconds(10)) == 0);
  return tools;
}

}  // namespace

TEST_CASE("every tool is described as it is written down, in every revision") {
  const std::filesystem::path folder = std::filesystem::path(VASTGPU_SOURCE_DIR) / "tests/wire/schemas";
  const bool update = std::getenv("UPDATE_SNAPSHOTS") != nullptr;
  const json newest = listed("2026-07-28");
  REQUIRE(newest.size() == 10);
  std::set<std::string> files;
  for (const json& tool : newest) {
    const std::string name = tool["name"];
    CAPTURE(name);
    files.insert(name + ".json");
    for (const char* part : {"title", "description", "inputSchema", "outputSchema", "annotations"})
      CHECK(tool.contains(part));
    for (const char* hint : {"readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"})
      CHECK(tool["annotations"][hint].is_boolean());
    CHECK(tool["inputSchema"]["additionalProperties"] == false);
    CHECK(tool["description"].get<std::string>().size() <= 2048);
    for (const auto& [argument, schema] : tool["inputSchema"]["properties"].items()) {
      CAPTURE(argument);
      CHECK(schema.value("description", "").size() > 5);
      const std::string words = to_lower(schema.value("description", ""));
      for (const auto& [ending, unit] :
           {std::pair{"_usd", "dollar"}, std::pair{"_seconds", "second"}, std::pair{"_minutes", "minute"},
            std::pair{"hours", "hours"}, std::pair{"_gb", "gb"}, std::pair{"_gib", "gib"}})
        if (argument.ends_with(ending) && argument != "max_upload_gb")
          CHECK(words.find(unit) != std::string::npos);
    }
    const std::string now = tool.dump(1) + "\n";
    const auto file = folder / (name + ".json");
    if (update) {
      std::filesystem::create_directories(folder);
      REQUIRE(replace_file(file, now));
    }
    const auto before = read_file(file, 1 << 20);
    REQUIRE(before);
    CHECK(*before == now);
  }
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    CHECK(files.contains(entry.path().filename().string()));

  // An older revision has the same tools, less what it does not know.
  const std::map<std::string, std::vector<std::string>> unknown{
      {"2025-11-25", {}},
      {"2025-06-18", {}},
      {"2025-03-26", {"title", "outputSchema", "_meta"}},
      {"2024-11-05", {"title", "outputSchema", "_meta", "annotations"}}};
  for (const auto& [revision, names] : unknown) {
    CAPTURE(revision);
    json expected = newest;
    for (json& tool : expected)
      for (const std::string& name : names) tool.erase(name);
    CHECK(listed(revision) == expected);
  }
}
