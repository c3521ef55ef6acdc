#pragma once
// A process in namespaces of its own, on a root of its own, that cannot outlive us. Knows nothing about GPUs
// or sshd. Any thread; every process is forked from one long-lived thread, since Linux ties "die with the
// parent" to a thread.

#include <sys/types.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/fd.h"

namespace vastgpu::sandbox {

/// Something mounted on the new root, in order. The mount points exist beforehand.
struct MountStep {
  enum class Kind { bind, bind_read_only, proc, tmpfs, devpts };
  Kind kind;
  std::string source;   ///< binds only
  std::string target;   ///< inside `Launch::root`, as seen from outside
  std::string options;  ///< tmpfs and devpts
};

struct Launch {
  std::filesystem::path
      root;  ///< becomes "/"; empty: no namespaces but the users', only `arguments` run as root
  std::vector<MountStep> mounts;
  std::string host_name;
  std::vector<std::string> arguments;    ///< the program's absolute path first
  std::vector<std::string> environment;  ///< NAME=VALUE, and nothing else
};

/// A started process: pid 1 of its namespaces. Destroying this kills nothing; see kill_and_reap.
struct Launched {
  pid_t pid = -1;  ///< as we see it
  Fd process;      ///< a pidfd: readable once it ended
  Fd orders;       ///< its standard input
  Fd output;       ///< its standard output and error
};

class Launcher;
/// The thread that forks. Whoever keeps a process must keep this too: when it ends, so do they.
std::shared_ptr<Launcher> shared_launcher();

/// Starts it, mounts done and program running when this returns.
/// @error unavailable  this host does not let us; the sentence says what is missing
Result<Launched> launch(Launcher& launcher, const Launch& what);

/// Kills everything in the pid namespace and waits until it is gone.
void kill_and_reap(Launched& process);
/// Waits for the end. The exit code, 128 + signal number, or -1 when somebody else reaped it.
int reap(Launched& process);

/// Deletes a folder, also files that belong to users of a machine's user namespace. Refuses while something
/// is mounted below it, since that something could be the host's /usr. True when nothing is left.
bool remove_tree(const std::filesystem::path& folder);

}  // namespace vastgpu::sandbox
