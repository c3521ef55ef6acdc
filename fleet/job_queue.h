#pragma once
// The queue of a machine: experiments that wait for free GPUs, in order. It lives on the machine, so that it
// goes on without us: one file per waiting experiment, and one runner that starts the first one as soon as so
// many GPUs are free as it needs. Free is a GPU with under 500 MiB used that no running job of ours was
// given. Pure text; the runner is started again by every look while somebody waits.

#include <string>
#include <string_view>
#include <vector>

namespace vastgpu {

inline constexpr const char* kQueueFolder = "/workspace/.vast-gpu/queue";

/// Shell functions for scripts that touch the queue: `entry NAME` prints its file, `gate` locks the queue for
/// the rest of the script (descriptor 7), `run_queue` starts a runner unless there is one or nobody waits.
std::string queue_functions();

/// Writes the runner's script where run_queue finds it.
std::string install_queue_script();

/// The part of a look: the name of each entry, then "why ..." as the runner last said. With `go_on` a runner
/// is started where somebody waits and none lives.
std::string list_queue_script(bool go_on);

struct QueueLook {
  std::vector<std::string> waiting;  ///< names of experiments, the next one first
  std::string why;                   ///< what the first one waits for, cleaned
};
QueueLook read_queue(std::string_view answer);

}  // namespace vastgpu
