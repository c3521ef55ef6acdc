#pragma once
// The MCP clients we know: where each keeps its configuration and what our entry in it looks like. Constant;
// any thread.

#include <array>
#include <filesystem>
#include <functional>
#include <map>

#include "clients/config_edit.h"

namespace vastgpu {

/// Our name in every configuration.
inline constexpr const char* kEntryName = "vast-gpu";

/// The variables that make a server work on the same state and account as a shell does.
inline constexpr std::array kHandedOn{"VAST_GPU_STATE",   "VAST_URL",        "VAST_GPU_CA_FILE",
                                      "VAST_GPU_SSH_KEY", "VAST_GPU_KEEPER", "VAST_GPU_CLOCK",
                                      "XDG_CONFIG_HOME"};

struct ClientPlaces {
  std::filesystem::path home;
  std::filesystem::path project;  ///< empty: the user's own configuration is meant
  std::function<std::optional<std::string>(const char*)> variable;
};

struct ServerStart {
  std::string program;                           ///< absolute path
  std::map<std::string, std::string> variables;  ///< what the server is to see; never a key
};

struct KnownClient {
  std::string name;   ///< as in `vast-gpu install NAME`
  std::string title;  ///< as its maker writes it
  ConfigFormat format;
  KeyPath path;  ///< of the entry
  std::function<std::filesystem::path(const ClientPlaces&)> user_file;
  std::string project_file;  ///< below the project; empty: it has none
  std::function<json(const ServerStart&)> entry;
  std::string then;  ///< what to do in the client now
};

const std::vector<KnownClient>& known_clients();
const KnownClient* find_client(std::string_view name);

/// @error invalid_argument  a project is given and the client has no file for one
Result<std::filesystem::path> config_file(const KnownClient& client, const ClientPlaces& places);

/// Whether an entry starts a program of our name as a server, wherever it lies.
bool is_ours(const json& entry);
/// The field of a client's entry that holds variables; empty: it takes them from its own environment.
std::string environment_field(const KnownClient& client);
/// What the entry starts; empty where it says none.
std::string program_of(const json& entry);

}  // namespace vastgpu
