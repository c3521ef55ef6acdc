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
/// excluded stays at home. Files that may hold secrets (remote/secrets.h) stay at home whatever is said here.
struct SyncRules {
  std::vector<std::string> include;
  std::vector<std::string> exclude;
  bool recursive = true;  ///< false: only what stands directly in the folder

  /// Honours `.gitignore` at every level as git does, and `.vastignore` in the root, of the same form, which
  /// has the last word: what it wants ("!weights/tiny.pt", "!data/") travels beyond the globs and against
  /// .gitignore.
  bool ignore_files = false;

  /// Deletes on the machine what an earlier sync by the same globs put there and what is no longer at home.
  /// Nothing is deleted while something that belongs there could not be read.
  bool delete_extra = false;

  std::uint64_t max_file = 100'000'000;  ///< bytes; larger files stay at home and are named in the report
  std::uint64_t max_total = 2'000'000'000;

  /// Asked now and then, on the caller's thread; true: end soon and well. The next sync goes on from there.
  std::function<bool()> enough = {};

  /// Where the machine keeps the lists of what we sent; outside the folder that is sent. It works without.
  std::string notes_folder = "/workspace/.vast-gpu/sync";
};

/// What did not travel. Counts are entries as met: a folder that was not entered is one.
struct StayedHome {
  std::size_t by_rules = 0;         ///< not among the globs
  std::size_t by_ignore_files = 0;  ///< .gitignore, .vastignore
  std::size_t secrets = 0;
  bool missed = false;             ///< something belongs there but is too large or cannot be read
  std::vector<std::string> named;  ///< "x.bin: 120 MB is more than ..." (at most 50)
};

struct SyncReport {
  std::size_t files = 0;         ///< that belong there
  std::uint64_t bytes = 0;       ///< of them
  std::size_t sent_files = 0;    ///< that travelled now
  std::uint64_t sent_bytes = 0;  ///< before compression
  std::size_t deleted = 0;
  bool complete = true;  ///< false: SyncRules::enough ended it before everything was there
  StayedHome stayed;

  int round_trips = 0;           ///< commands one after the other, on the session at hand
  std::size_t lanes = 0;         ///< sessions side by side for large files, at most
  std::size_t reconnects = 0;    ///< after a link broke
  std::uint64_t resumed = 0;     ///< bytes of large files that an earlier call had brought there
  std::uint64_t sent_again = 0;  ///< bytes on their way when a link broke: at most so many travelled twice
};

/// A file that a receipt names.
struct KnownFile {
  std::string sha256;
  std::string times =
      {};  ///< its last changes of content and of entry on the machine, as its find prints them
  std::uint64_t size = 0;
  std::string home = {};  ///< ReceiptFile::home
  bool found = false;     ///< ReceiptFile::found
};

/// Where results are and where they go at home.
struct CollectSource {
  std::string remote_folder;          ///< "/workspace/project/results"
  std::vector<std::string> patterns;  ///< globs under it; empty = everything
  bool recursive = true;
  std::filesystem::path local_folder;  ///< nothing is ever written outside it

  /// What this rental brought home before, by path relative to local_folder. Such a file may be replaced
  /// while it is unchanged here. Any other file in the way is kept: it is renamed to NAME.before-<UTC time of
  /// its last change>.
  std::map<std::string, KnownFile> known = {};

  /// Files land among those that the user works with. Names that steer assistants or programs there are
  /// refused, unless the file is at home as it is on the machine already; and what this rental only found at
  /// home is not its own, known or not.
  bool among_own = false;

  /// Whether what stands at home under this path, with this hash (empty: no file), keeps its name; `ours`: it
  /// is as this rental brought it. Then the file goes to `aside` + path instead. Never asked: it does not.
  std::function<bool(const std::string& path, const std::string& sha256, bool ours)> keeps_name = {};
  std::string aside = {};  ///< a folder below local_folder for this rental alone: "41234567/"
};

struct ReceiptFile;

struct CollectOptions {
  /// The machine goes away next: files with temporary names come home too, marked as such, and of a log that
  /// still grows what is there now.
  bool last = false;
  /// Loads the newest checkpoint and parses JSON and CSV on the machine, where python is there. Runs nothing
  /// of the project; a failed check is named and blocks nothing.
  bool load_test = false;

  // How it travels. Tests make these small.
  /// Bytes from which a file travels in pieces over several sessions: opening one takes about 0.7 s on a far
  /// link, in which a 200 Mbit/s link carries 16 MB.
  std::uint64_t big_file = 16 << 20;
  std::uint64_t piece = 16 << 20;                  ///< bytes of one piece at most
  std::chrono::milliseconds idle{60'000};          ///< without a byte, reconnecting included: it gives up
  std::chrono::milliseconds slow_window{120'000};  ///< in each such time 64 KiB have to arrive

  /// Told of each file as soon as it has its name, on the caller's thread: it is home even when the call
  /// fails later.
  std::function<void(const ReceiptFile&)> placed = {};
};

struct ReceiptFile {
  std::string path;    ///< relative to the local folder, forward slashes
  std::string folder;  ///< the remote folder it came from
  std::uint64_t size = 0;
  std::string sha256;         ///< of the file at home, hashed in this call, and of the one on the machine
  std::string times = {};     ///< KnownFile::times; empty when it changed after it was fetched
  bool relied = false;        ///< the machine's hash is the last receipt's: size and times were the same
  std::uint64_t resumed = 0;  ///< bytes that an earlier call had brought
  std::string note = {};      ///< what else is to be known about it: a temporary name, a log that still grew
  std::string home = {};      ///< its path at home, where another file has `path`
  bool found = false;         ///< it was at home before this rental brought anything under that name
};

/// One file that a load test looked at on the machine.
struct CheckedFile {
  enum class Verdict { ok, failed, not_possible };
  std::string path, folder;
  Verdict verdict = Verdict::not_possible;
  std::string words = {};  ///< what was checked, the error, or why it was not possible
};

/// Proof that results came home. `complete` is true only when every result is at home and both hashes agree.
/// Remarks that lose nothing (a file kept as NAME.before-..., a temporary name, a socket) stand in `problems`
/// all the same.
struct Receipt {
  std::vector<ReceiptFile> files;
  std::uint64_t bytes = 0;
  std::size_t fetched = 0;            ///< files that travelled in this call
  std::vector<std::string> problems;  ///< files that changed while read, odd names, refused ones (at most 50,
                                      ///< and then how many more)
  std::vector<CheckedFile> checked;   ///< with CollectOptions::load_test
  bool complete = false;
};
void to_json(json& j, const Receipt& r);

/// CollectSource::known for one remote folder, out of a receipt as to_json wrote it, and out of its
/// "earlier" (left_out()); empty when it is not one.
std::map<std::string, KnownFile> known_files(const json& receipt, const std::string& remote_folder);

/// Entries of an earlier receipt that this one does not name. A file that changes while it is read drops out
/// of a receipt, and still is this rental's.
json left_out(const json& earlier, const json& receipt);

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

  /// Sends what is missing or different (size, time, mode) below `local` to `remote` (a folder, made if
  /// needed). A file appears under its name whole or not at all, with its time and mode. Large files travel
  /// in pieces over several sessions; after a broken link it goes on with new ones, and after a crash of ours
  /// the next call goes on in the middle of the file. Links to files inside `local` travel as files; links
  /// that lead out of it, and to folders, are left out. `progress` is called on this thread.
  /// @error invalid_argument  `local` is no folder, or more than rules.max_total: nothing travelled
  /// @error wrong_state       too little room on the machine, or it cannot store: what landed is whole
  /// @error unavailable       the link broke and stayed broken, or nothing moved for a minute
  virtual Result<SyncReport> sync_up(const std::filesystem::path& local, const std::string& remote,
                                     const SyncRules& rules, const ProgressFn& progress,
                                     std::stop_token stop) = 0;

  /// Writes one small file on the machine atomically (temporary name, then rename).
  virtual Result<void> put(const std::string& remote_path, const std::string& content, unsigned mode,
                           std::stop_token stop) = 0;

  /// Brings files home: the newest checkpoint, other results from small to large, older checkpoints. Those
  /// already there with the same size and hash do not travel again. A folder that does not exist contributes
  /// nothing. Files land complete or not at all; links, devices and odd names are refused, and temporary
  /// names of frameworks are no results. A link to something below the same folder is no loss and not a
  /// problem; one that leads out makes the receipt incomplete. A link that breaks is opened again; of big
  /// files the next attempt, or the next call, goes on in the middle.
  /// @error unavailable  the link stays broken, or too little disk at home; what landed before is whole and
  /// stays
  virtual Result<Receipt> collect(const std::vector<CollectSource>& sources, const CollectOptions& options,
                                  const ProgressFn& progress, std::stop_token stop) = 0;
  Result<Receipt> collect(const std::vector<CollectSource>& sources, const ProgressFn& progress,
                          std::stop_token stop) {
    return collect(sources, CollectOptions{}, progress, std::move(stop));
  }

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
