#pragma once
// One rented machine of the sandbox: a real sshd in its own mount, pid, uts and ipc namespaces, on a loopback
// address of its own. Its disk lives in a folder and survives stop and start, except /tmp and /run;
// destroying removes it. /usr is the host's, read-only. Machines never outlive the sandbox, also when it is
// killed: the pid namespace dies with its parent, and a janitor process removes the folders. One thread at a
// time per Machine; many machines on many threads.

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/error.h"

namespace vastgpu::sandbox {

/// What the stand-ins report.
struct MachineSpec {
  std::int64_t id = 0;   ///< instance id
  std::string gpu_name;  ///< of nvidia-smi: "NVIDIA GeForce RTX 4090"
  int num_gpus = 1;
  int gpu_ram_mib = 24564;  ///< of one GPU
  std::string driver_version = "570.124.06";
  std::string cuda_version = "12.8";
  std::string torch_version = "2.1.0";  ///< what `import torch` says, from the image's name
  double disk_gb = 50;
  std::string listen_address;  ///< "127.8.3.17"
  std::uint16_t ssh_port = 40022;
  std::string onstart;  ///< run as root at every start, with `env` set
  std::map<std::string, std::string>
      env;  ///< CONTAINER_ID, CONTAINER_API_KEY...; only pid 1 and onstart see them
  std::vector<std::string> authorized_keys;
  double clock_speed = 1;         ///< date and sleep inside run on the same scaled clock as the sandbox
  double clock_origin = 0;        ///< unix seconds
  double clock_skew_seconds = 0;  ///< a machine whose clock is wrong
  bool no_curl = false;           ///< curl and wget are not installed
  bool intruder = false;          ///< who answers SSH shows another host key than the machine's own
};

/// Why machines cannot be made here, as one sentence; nullopt when they can.
std::optional<std::string> machines_unavailable();

class Machine {
 public:
  /// Prepares disk, host key and stand-ins below `folder`, which is new or empty; starts nothing yet. 20 ms.
  /// @error invalid_argument  the spec makes no sense, or the folder is in use
  static Result<std::unique_ptr<Machine>> create(const std::filesystem::path& folder, MachineSpec spec);
  virtual ~Machine() = default;  ///< ends it

  /// The container starts: onstart runs at once; sshd only after open_ssh().
  /// @error wrong_state  it runs already
  virtual Result<void> start() = 0;
  /// Returns when sshd listens, 20 ms later, at most 10 s. Once per start; again is harmless.
  /// @error wrong_state  it does not run
  /// @error unavailable  somebody else listens there, or sshd did not come up
  virtual Result<void> open_ssh() = 0;
  /// Everything inside is killed; the disk stays.
  virtual void stop() = 0;
  /// False also after the container's first process ended by itself; start() works then.
  virtual bool running() const = 0;
  /// Replaces what sshd accepts, at once. One line a key. Also while stopped.
  virtual Result<void> set_authorized_keys(const std::vector<std::string>& keys) = 0;
  /// Its clock jumps to that far ahead, at once. Also while stopped.
  virtual Result<void> set_clock_skew(double seconds) = 0;
  /// From the next start on sshd listens there, and the environment says so.
  /// @error wrong_state  it runs
  virtual Result<void> move_ssh(std::uint16_t port) = 0;
  /// What the container printed so far (what onstart prints, sshd), at most 1 MB.
  virtual std::string log() const = 0;
  /// Bytes under /workspace and /root.
  virtual std::uint64_t disk_used() const = 0;
};

/// Removes everything below `folder` and kills what runs there when this process ends, however it ends.
/// Call once, before the first machine, while single-threaded.
Result<void> start_janitor(const std::filesystem::path& folder);

}  // namespace vastgpu::sandbox
