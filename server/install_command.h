#pragma once
// `vast-gpu install keeper` and `uninstall keeper`: a pass every five minutes by systemd or cron, for when
// no process of ours lives. One thread.

#include <string>

#include "server/house.h"

namespace vastgpu {

struct InstallOptions {
  bool remove = false;   ///< uninstall
  bool dry_run = false;  ///< say what would be written and where
  std::string by;        ///< "systemd", "cron"; empty: systemd where its user instance answers, else cron
};

/// Prints what it does. 0 done or nothing to do, 1 done but something needs attention, 2 not done.
/// @param program  absolute path of this program
int install_keeper(const House& house, const std::string& program, const InstallOptions& options);

/// Where a timer or a crontab line of ours stands, for people; empty: nowhere.
std::string installed_keeper(const House& house);

}  // namespace vastgpu
