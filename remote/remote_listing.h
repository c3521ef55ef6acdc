#pragma once
// What is in folders on the machine, and what the files hash to. Everything that comes back is hostile: it is
// bounded, parsed strictly, and its names are only ever compared or checked. One thread per session.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "remote/archive.h"
#include "remote/shell.h"
#include "remote/ssh_session.h"

namespace vastgpu {

struct RemoteEntry {
  char type = '?';         ///< of find: f, l, p, s, b, c
  char target_type = '?';  ///< of what a link leads to; N when that does not exist
  std::uint64_t size = 0;
  FileTime changed;
  std::string path;  ///< below the folder
  std::string link;  ///< where a link leads
};

struct RemoteFolder {
  std::vector<RemoteEntry> entries;  ///< all but folders
  std::string trouble;               ///< why the list is not whole; empty when it is
};

struct RemoteListing {
  Packing packing = Packing::none;
  std::vector<RemoteFolder> folders;  ///< one per source, in its order; an absent folder is empty
  bool too_large = false;             ///< over 100,000 entries or 64 MB: nothing else is valid then
};

/// @error corrupt  the machine lacks GNU find, or answers nonsense
Result<RemoteListing> list_folders(SshSession& session, const std::vector<CollectSource>& sources,
                                   const std::stop_token& stop);

/// Absolute path -> SHA-256 in hex. What cannot be read is missing.
Result<std::map<std::string, std::string>> hash_on_machine(SshSession& session,
                                                           const std::vector<std::string>& paths,
                                                           std::uint64_t largest,
                                                           const std::stop_token& stop);

struct SizeAndTime {
  std::uint64_t size = 0;
  FileTime changed;
  bool operator==(const SizeAndTime&) const = default;
};
/// Absolute path -> how the regular file looks now. What is gone is missing.
Result<std::map<std::string, SizeAndTime>> look_again(SshSession& session,
                                                      const std::vector<std::string>& paths,
                                                      const std::stop_token& stop);

}  // namespace vastgpu
