#pragma once
// The programs of a machine that only pretend: nvidia-smi, python with a torch, pip, apt-get, and date and
// sleep on the sandbox's clock. Shell scripts mostly, since they must start in a few milliseconds. Pure
// functions; any thread.

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sandbox/machine.h"

namespace vastgpu::sandbox {

struct StandIn {
  std::string path;  ///< below /opt/fake: "bin/nvidia-smi"
  std::string content;
  bool program = true;
};

/// What a machine of this kind holds below /opt/fake. `python` is the host's interpreter, if it has one under
/// /usr.
std::vector<StandIn> stand_ins(const MachineSpec& spec, const std::optional<std::filesystem::path>& python);

/// "NVIDIA GeForce RTX 4090" -> "8.9"; "8.6" for a model nobody knows.
std::string compute_capability(std::string_view gpu_name);

}  // namespace vastgpu::sandbox
