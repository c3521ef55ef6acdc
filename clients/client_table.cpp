#include "clients/client_table.h"

namespace vastgpu {
namespace {

namespace fs = std::filesystem;

// A tool answers within 45 s and says how to go on; two minutes leave room for a slow link.
constexpr int kToolSeconds = 120;
constexpr int kToolMilliseconds = kToolSeconds * 1000;

std::optional<fs::path> absolute(const ClientPlaces& at, const char* variable) {
  const auto value = at.variable(variable);
  return value && value->starts_with('/') ? std::optional<fs::path>(*value) : std::nullopt;
}

fs::path config_home(const ClientPlaces& at) {
  return absolute(at, "XDG_CONFIG_HOME").value_or(at.home / ".config");
}

auto below_home(const char* file) {
  return [file](const ClientPlaces& at) { return at.home / file; };
}
auto below_config(const char* file) {
  return [file](const ClientPlaces& at) { return config_home(at) / file; };
}

json plain_entry(const ServerStart& start) {
  json entry{{"command", start.program}, {"args", {"serve"}}};
  if (!start.variables.empty()) entry["env"] = start.variables;
  return entry;
}

json with(json entry, const char* key, json value) {
  entry[key] = std::move(value);
  return entry;
}

/// Codex hands on only a short list of variables and those that are named here; their values stay outside.
json codex_entry(const ServerStart& start) {
  return {{"command", start.program},
          {"args", {"serve"}},
          {"env_vars",
           {"VAST_API_KEY", "VAST_GPU_STATE", "VAST_GPU_KEEPER", "VAST_GPU_SSH_KEY", "VAST_GPU_CA_FILE",
            "VAST_URL", "VAST_GPU_CLOCK", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "SSH_AUTH_SOCK"}},
          {"tool_timeout_sec", kToolSeconds}};
}

json opencode_entry(const ServerStart& start) {
  json entry{{"type", "local"},
             {"command", {start.program, "serve"}},
             {"enabled", true},
             {"timeout", kToolMilliseconds}};
  if (!start.variables.empty()) entry["environment"] = start.variables;
  return entry;
}

/// It reads both names; the one that is there is the one that its user edits.
fs::path opencode_file(const fs::path& folder) {
  std::error_code none;
  return fs::exists(folder / "opencode.jsonc", none) && !fs::exists(folder / "opencode.json", none)
             ? folder / "opencode.jsonc"
             : folder / "opencode.json";
}

std::vector<KnownClient> make_clients() {
  using enum ConfigFormat;
  const KeyPath usual{"mcpServers", kEntryName};
  return {
      {"claude-code", "Claude Code", strict_json, usual,
       [](const ClientPlaces& at) {
         return absolute(at, "CLAUDE_CONFIG_DIR").value_or(at.home) / ".claude.json";
       },
       ".mcp.json",
       [](const ServerStart& s) {
         return with(with(plain_entry(s), "type", "stdio"), "timeout", kToolMilliseconds);
       },
       "start claude anew; /mcp lists it, and /mcp__vast-gpu__vast-gpu is the command"},
      {"claude-desktop", "Claude Desktop", strict_json, usual,
       below_config("Claude/claude_desktop_config.json"), "", plain_entry,
       "quit it from its menu and start it again"},
      {"codex",
       "Codex",
       toml,
       {"mcp_servers", kEntryName},
       [](const ClientPlaces& at) {
         return absolute(at, "CODEX_HOME").value_or(at.home / ".codex") / "config.toml";
       },
       ".codex/config.toml",
       codex_entry,
       "start codex anew; /mcp lists it; then say what to train"},
      {"cursor", "Cursor", commented_json, usual, below_home(".cursor/mcp.json"), ".cursor/mcp.json",
       [](const ServerStart& s) { return with(plain_entry(s), "type", "stdio"); },
       "switch it on under Settings, MCP; then say what to train"},
      {"vscode",
       "VS Code",
       commented_json,
       {"servers", kEntryName},
       below_config("Code/User/mcp.json"),
       ".vscode/mcp.json",
       [](const ServerStart& s) { return with(plain_entry(s), "type", "stdio"); },
       "run MCP: List Servers and start it; /mcp.vast-gpu.vast-gpu in the chat is the command"},
      {"gemini", "Gemini CLI", commented_json, usual, below_home(".gemini/settings.json"),
       ".gemini/settings.json",
       [](const ServerStart& s) { return with(plain_entry(s), "timeout", kToolMilliseconds); },
       "start gemini anew; /mcp lists it, and /vast-gpu is the command"},
      {"opencode",
       "opencode",
       commented_json,
       {"mcp", kEntryName},
       [](const ClientPlaces& at) { return opencode_file(config_home(at) / "opencode"); },
       "opencode.json",
       opencode_entry,
       "start opencode anew; its command list has vast-gpu"},
      {"windsurf", "Windsurf", strict_json, usual, below_home(".codeium/windsurf/mcp_config.json"), "",
       plain_entry, "refresh the MCP servers in Cascade; then say what to train"},
      {"zed",
       "Zed",
       commented_json,
       {"context_servers", kEntryName},
       below_config("zed/settings.json"),
       ".zed/settings.json",
       plain_entry,
       "the agent panel's settings list it; /vast-gpu is the command"},
  };
}

}  // namespace

const std::vector<KnownClient>& known_clients() {
  static const std::vector<KnownClient> clients = make_clients();
  return clients;
}

const KnownClient* find_client(std::string_view name) {
  for (const KnownClient& client : known_clients())
    if (client.name == name) return &client;
  return nullptr;
}

Result<fs::path> config_file(const KnownClient& client, const ClientPlaces& places) {
  if (places.project.empty()) return client.user_file(places);
  if (client.project_file.empty())
    return fail({.code = Code::invalid_argument,
                 .what = client.title + " has no configuration of its own for a project",
                 .next_step = "leave out --project"});
  if (client.name == "opencode") return opencode_file(places.project);
  return places.project / client.project_file;
}

std::string environment_field(const KnownClient& client) {
  const json entry = client.entry({"", {{"A", "B"}}});
  for (const char* key : {"env", "environment"})
    if (entry.contains(key)) return key;
  return {};
}

std::string program_of(const json& entry) {
  if (!entry.is_object() || !entry.contains("command")) return {};
  const json& command = entry["command"];
  if (command.is_string()) return command.get<std::string>();
  if (command.is_array() && !command.empty() && command[0].is_string()) return command[0].get<std::string>();
  return {};
}

bool is_ours(const json& entry) {
  if (fs::path(program_of(entry)).filename() != kEntryName) return false;
  const json words = entry["command"].is_array() ? entry["command"] : entry.value("args", json::array());
  return std::ranges::any_of(words, [](const json& word) { return word == "serve"; });
}

}  // namespace vastgpu
