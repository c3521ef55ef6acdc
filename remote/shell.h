#pragma once
// A machine reached by SSH. `SshShell` is the real one (libssh2). One thread at a time per Shell; many Shells
// at once.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "core/endpoint.h"
#include "core/error.h"
#include "core/json.h"

namespace vastgpu {

class SshLink;

struct ExecResult {
  int exit_code = 0;     ///< 128 + n when ended by signal n
  std::string out, err;  ///< each cut at ExecOptions::max_output, as bytes: clean() before showing
  bool truncated = false;
};

struct ExecOptions {
  std::string input = {};                   ///< sent to stdin, then end of file
  std::chrono::milliseconds limit{60'000};  ///< real time; then unavailable with effect unknown
  std::size_t max_output = 1 << 20;         ///< bytes, for each of out and err
};

/// What travels up. Globs match the path relative to the root, or its last part; a trailing "/" means a
/// folder and all below it ("*/" as include is ignored: folders are always entered). `*` stays within one
/// part, `**` does not. Exclude wins. An excluded folder is not entered. Everything not included and not
/// excluded stays at home.
struct SyncRules {
  std::vector<std::string> include;
  std::vector<std::string> exclude;
  std::uint64_t max_file = 100'000'000;  ///< bytes; larger files stay at home and are named in the report
  std::uint64_t max_total = 2'000'000'000;
};

struct SyncReport {
  std::size_t files = 0;              ///< that belong there
  std::size_t sent_files = 0;         ///< that travelled now
  std::uint64_t sent_bytes = 0;       ///< before compression
  std::vector<std::string> left_out;  ///< too large, unreadable, odd names (at most 50)
};

/// Where results are and where they go at home.
struct CollectSource {
  std::string remote_folder;          ///< "/workspace/project/results"
  std::vector<std::string> patterns;  ///< globs under it; empty = everything
  bool recursive = true;
  std::filesystem::path local_folder;  ///< nothing is ever written outside it

  /// What this rental brought home before: path relative to local_folder -> sha256. Such a file may be
  /// replaced while it is unchanged. Any other file in the way is kept: it is renamed to NAME.before-<UTC
  /// time of its last change>.
  std::map<std::string, std::string> known = {};
};

struct ReceiptFile {
  std::string path;    ///< relative to the local folder, forward slashes
  std::string folder;  ///< the remote folder it came from
  std::uint64_t size = 0;
  std::string sha256;  ///< computed on the machine; the local file was hashed again and agrees
};

/// Proof that results came home. `complete` is true only when every listed file is at home and both hashes
/// agree. Remarks that lose nothing (a file kept as NAME.before-..., a socket left out) stand in `problems`
/// all the same.
struct Receipt {
  std::vector<ReceiptFile> files;
  std::uint64_t bytes = 0;
  std::size_t fetched = 0;            ///< files that travelled in this call
  std::vector<std::string> problems;  ///< files that changed while read, odd names, refused ones (at most 50)
  bool complete = false;
};
void to_json(json& j, const Receipt& r);

/// CollectSource::known for one remote folder, out of a receipt as to_json wrote it; empty when it is not
/// one.
std::map<std::string, std::string> known_files(const json& receipt, const std::string& remote_folder);

using ProgressFn = std::function<void(double fraction, const std::string& message)>;

class Shell {
 public:
  virtual ~Shell() = default;

  /// Runs one command line in the login user's /bin/sh.
  /// @error unavailable  the link broke or the limit passed: effect unknown, the command may have run
  /// @error cancelled    effect unknown
  /// Nothing is killed over there then; the command loses its stdin and stdout. A Shell whose link broke
  /// stays broken: connect again.
  virtual Result<ExecResult> exec(const std::string& command, const ExecOptions& options,
                                  std::stop_token stop) = 0;

  /// Sends what is missing or different (size, time, executable or not) below `local` to `remote` (a folder,
  /// made if needed). Deletes nothing there. Files appear under their names only after all of them arrived.
  /// Links to files inside `local` travel as files; links that lead out of it, and to folders, are left out.
  /// @error invalid_argument  `local` is no folder, or more than rules.max_total: nothing travelled
  /// @error unavailable       the link broke, or nothing moved for a minute
  virtual Result<SyncReport> sync_up(const std::filesystem::path& local, const std::string& remote,
                                     const SyncRules& rules, const ProgressFn& progress,
                                     std::stop_token stop) = 0;

  /// Writes one small file on the machine atomically (temporary name, then rename).
  virtual Result<void> put(const std::string& remote_path, const std::string& content, unsigned mode,
                           std::stop_token stop) = 0;

  /// Brings files home. Those already there with the same size and hash do not travel again. A folder that
  /// does not exist contributes nothing. Files land complete or not at all; links, devices and odd names are
  /// refused. A link to something below the same folder is no loss and not a problem; one that leads out
  /// makes the receipt incomplete.
  /// @error unavailable  the link broke, or too little disk at home; what landed before is whole and stays
  virtual Result<Receipt> collect(const std::vector<CollectSource>& sources, const ProgressFn& progress,
                                  std::stop_token stop) = 0;

  /// "SHA256:..." of the host key that this connection was made with.
  virtual std::string host_key_fingerprint() const = 0;
  /// That key itself, as known_hosts has it: "ssh-ed25519 AAAA...".
  /// @error unavailable  the link broke and does not come back
  virtual Result<std::string> host_public_key(std::stop_token stop) = 0;

  /// The sessions behind it, for what else goes through them (remote/tunnel.h); nullptr where there are none.
  virtual SshLink* link() = 0;
};

/// Everything needed to reach one machine.
struct SshTarget {
  std::vector<Endpoint> candidates;            ///< tried in order
  std::optional<std::string> pinned_host_key;  ///< "SHA256:..."; a different key ends the connection
  std::chrono::milliseconds limit{20'000};     ///< real time, for the whole login
};

struct Connection {
  std::unique_ptr<Shell> shell;
  Endpoint endpoint;  ///< the candidate that let us in
};

/// Opens shells. Thread-safe.
class Connector {
 public:
  virtual ~Connector() = default;

  /// @error unavailable      nobody listens (yet), or the link broke
  /// @error unauthenticated  it listens but refuses our key
  /// @error corrupt          host key differs from the pinned one: both fingerprints are in the message
  virtual Result<Connection> connect(const SshTarget& target, std::stop_token stop) = 0;

  /// The public key that machines must accept: "ssh-ed25519 AAAA... comment".
  /// @error unauthenticated  the user has no SSH key and none could be made
  virtual Result<std::string> public_key() = 0;
};

}  // namespace vastgpu
