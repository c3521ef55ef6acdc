#pragma once
// `vast-gpu install CLIENT` and `uninstall CLIENT`, for people. One thread.

#include <optional>
#include <string>
#include <vector>

#include "server/house.h"

namespace vastgpu {

struct ClientOptions {
  bool remove = false;
  bool dry_run = false;
  bool force = false;
  bool in_project = false;  ///< the project's configuration instead of the user's
  bool print = false;       ///< only the entry, on stdout
};

/// Prints what it does. 0 done or nothing to do, 1 an entry of our name is somebody else's and was kept, or
/// something needs attention, 2 not done.
/// @param program  absolute path of this program
int install_client(House& house, const std::string& client, const std::string& program,
                   const ClientOptions& options);

/// What the configuration of a client says about us.
struct ClientSight {
  std::string client;   ///< "cursor"
  std::string file;     ///< the user's configuration
  std::string program;  ///< what it starts, found in PATH where it names no folder; empty: no entry of ours
  bool ours = false;    ///< it starts a program of our name
  bool runs = false;    ///< that program is there and may be executed
  std::vector<std::string> other_settings;  ///< names that it sets otherwise than install would now
  std::string trouble;                      ///< why the file cannot be read; empty otherwise
};

/// The clients whose user's configuration exists. Reads files, changes none.
std::vector<ClientSight> look_at_clients(const House& house);

/// What a server started elsewhere has to see to do as this one does; never a key.
std::map<std::string, std::string> settings_to_hand_on(const House& house);

}  // namespace vastgpu
