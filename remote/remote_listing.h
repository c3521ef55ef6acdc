#pragma once
// What is in folders on the machine, and what the files hash to. Everything that comes back is hostile: it is
// bounded, parsed strictly, and its names are only ever compared or checked. One thread per session.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
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
  std::string times;  ///< KnownFile::times
  std::string path;   ///< below the folder
  std::string link;   ///< where a link leads
};

struct RemoteFolder {
  std::vector<RemoteEntry> entries;  ///< all but folders
  std::string trouble;               ///< why the list is not whole; empty when it is
};

struct RemoteListing {
  std::optional<std::uint64_t> room = {};  ///< bytes that may still be written there
  Packing packing = Packing::none;
  std::vector<RemoteFolder> folders;  ///< one per source, in its order; an absent folder is empty
  bool too_large = false;             ///< over 100,000 entries or 24 MB: nothing else is valid then
};

/// One round trip.
/// @error corrupt  the machine lacks GNU find, or answers nonsense
Result<RemoteListing> list_folders(SshSession& session, const std::vector<CollectSource>& sources,
                                   const CollectOptions& options, const std::stop_token& stop);

std::string nul_separated(const std::vector<std::string>& paths);

/// One record of `sha256sum -z`, off the front; nullopt while there is no whole one.
struct HashRecord {
  std::string_view sha256, path;
};
Result<std::optional<HashRecord>> take_hash(std::string_view& rest);
/// How long a slow disk (20 MB/s) takes to read so much; at most a day.
inline std::chrono::seconds hashing_time(std::uint64_t bytes) {
  return std::chrono::seconds(std::min<std::uint64_t>(bytes / 20'000'000, 86'400));
}

/// Absolute path -> SHA-256 in hex. What cannot be read is missing. `total`: bytes of all of them.
Result<std::map<std::string, std::string>> hash_on_machine(SshSession& session,
                                                           const std::vector<std::string>& paths,
                                                           std::uint64_t total, const CollectOptions& options,
                                                           const std::stop_token& stop);

struct SizeAndTime {
  std::uint64_t size = 0;
  FileTime changed;
  bool operator==(const SizeAndTime&) const = default;
};
/// One record of `stat --printf=kLookFormat`, off the front; nullopt while there is no whole one.
inline constexpr std::string_view kLookFormat = "%F/%s %.9Y %n\\0";
struct LookRecord {
  bool regular = false;
  SizeAndTime now;
  std::string_view path;
};
Result<std::optional<LookRecord>> take_look(std::string_view& rest);

/// Absolute path -> how the regular file looks now. What is gone is missing.
Result<std::map<std::string, SizeAndTime>> look_again(SshSession& session,
                                                      const std::vector<std::string>& paths,
                                                      const CollectOptions& options,
                                                      const std::stop_token& stop);

}  // namespace vastgpu
