#pragma once
// Makes this program known to a client, and undoes it. One thread; two at once are told apart by
// write_config.
//
// What a file was before is kept in the state folder, so that undoing gives back the same bytes when nothing
// else has changed since. When something has, only our entry goes.

#include "clients/client_table.h"
#include "clients/config_file.h"

namespace vastgpu {

struct InstallJob {
  const KnownClient& client;
  std::filesystem::path file;     ///< config_file()
  std::filesystem::path records;  ///< our folder for what files were before
  ServerStart start;              ///< not used by uninstall
  bool force = false;             ///< replaces, or removes, an entry of our name that is not ours
  bool dry_run = false;
  bool stale_settings_go = false;  ///< those of kHandedOn that `start` does not set leave our entry
};

enum class InstallOutcome {
  done,
  already,  ///< nothing to change
  foreign,  ///< an entry of our name starts something else: kept
};

struct InstallReport {
  InstallOutcome outcome = InstallOutcome::done;
  std::string change;          ///< changed_lines, empty where nothing changes
  std::string other_program;   ///< of a foreign entry
  std::filesystem::path kept;  ///< where the file as it was is kept; empty: there was none
  bool removed_file = false;
  std::string not_put_back;  ///< of an entry that --force had displaced; it is in `kept` then
};

/// @error corrupt      the file cannot be read; the place is named, nothing was changed
/// @error wrong_state  it is written so that we cannot change it safely, or somebody writes it all the time
/// @error unavailable  the disk
Result<InstallReport> install_entry(Disk& disk, const InstallJob& job);
Result<InstallReport> uninstall_entry(Disk& disk, const InstallJob& job);

}  // namespace vastgpu
