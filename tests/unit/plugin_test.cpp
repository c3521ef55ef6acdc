// The Claude Code plugin says what the server says: same tools, same rules, same version.

#include <regex>
#include <set>

#include "core/files.h"
#include "core/json.h"
#include "prompts/rules.h"
#include "server/house.h"
#include "tests/support/catch.h"
#include "tools/all_tools.h"

using namespace vastgpu;

namespace {
std::string file(const std::string& name) {
  const auto content = read_file(std::filesystem::path(VASTGPU_SOURCE_DIR) / name, 1 << 20);
  INFO(name);
  REQUIRE(content);
  return *content;
}
json read(const std::string& name) {
  const auto parsed = parse_json(file(name), name);
  REQUIRE(parsed);
  return *parsed;
}
}  // namespace

TEST_CASE("the plugin's command and skill name the tools that exist, all of them") {
  HouseSettings settings;
  settings.variable = [](const char*) { return std::optional<std::string>(); };
  const auto house = House::make(settings);
  REQUIRE(house);
  std::set<std::string> names;
  for (const Tool& tool : all_tools(**house)) names.insert(tool.spec.name);

  const std::string command = file("plugins/claude-code/commands/vast-gpu.md");
  const std::string skill = file("plugins/claude-code/skills/gpu-machines/SKILL.md");
  for (const std::string& name : names) {
    INFO(name);
    CHECK(skill.find("`" + name + "`") != std::string::npos);
    CHECK(command.find("`" + name + "`") != std::string::npos);
  }
  // Only what neither spends nor destroys may run without being asked for.
  const std::regex allowed("mcp__(?:plugin_vast-gpu_)?vast-gpu__([a-z-]+)");
  for (std::sregex_iterator at(command.begin(), command.end(), allowed), end; at != end; ++at)
    CHECK(std::set<std::string>{"provision", "list", "monitor"}.contains((*at)[1]));
  CHECK(skill.find(house_rules()) != std::string::npos);
  CHECK(skill.starts_with("---\nname: gpu-machines\ndescription: "));
}

TEST_CASE("the plugin's manifests fit together and have this version") {
  const json plugin = read("plugins/claude-code/.claude-plugin/plugin.json");
  const json market = read(".claude-plugin/marketplace.json");
  CHECK(plugin["version"] == VASTGPU_VERSION);
  CHECK(plugin["name"] == "vast-gpu");
  REQUIRE(market["plugins"].size() == 1);
  CHECK(market["plugins"][0]["name"] == plugin["name"]);
  CHECK(market["plugins"][0]["source"] == "./plugins/claude-code");
  CHECK(market["owner"].contains("name"));
  const json server = read("plugins/claude-code/.mcp.json")["mcpServers"]["vast-gpu"];
  CHECK(server["command"] == "vast-gpu");
  CHECK(server["args"] == json::array({"serve"}));
}
