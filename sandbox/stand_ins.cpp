#include "sandbox/stand_ins.h"

#include <array>
#include <cmath>

#include "core/gpu_table.h"
#include "core/text.h"
#include "sandbox/stand_in_scripts.h"

namespace vastgpu::sandbox {
namespace {

/// The facts every script reads, as shell assignments.
std::string facts(const MachineSpec& spec, const std::optional<std::filesystem::path>& python) {
  const auto set = [](std::string_view name, const std::string& value) {
    return text(name, "=", shell_quote(value), "\n");
  };
  const bool whole = spec.clock_speed == std::floor(spec.clock_speed) && spec.clock_speed <= 1e6;
  return set("MACHINE_ID", std::to_string(spec.id)) + set("GPU_NAME", spec.gpu_name) +
         set("GPU_COUNT", std::to_string(spec.num_gpus)) + set("GPU_MIB", std::to_string(spec.gpu_ram_mib)) +
         set("DRIVER", spec.driver_version) + set("CUDA", spec.cuda_version) +
         set("COMPUTE_CAP", compute_capability(spec.gpu_name)) + set("TORCH", spec.torch_version) +
         set("SPEED", fixed(spec.clock_speed, 6)) +
         set("WHOLE_SPEED", whole && spec.clock_speed >= 1 ? fixed(spec.clock_speed, 0) : "") +
         set("ORIGIN", fixed(spec.clock_origin, 6)) + set("SKEW", fixed(spec.clock_skew_seconds, 6)) +
         set("PYTHON", python ? python->string() : "");
}

}  // namespace

std::string compute_capability(std::string_view gpu_name) {
  std::string key = gpu_key(gpu_name);
  for (const std::string_view prefix : {"nvidia", "geforce"})
    if (key.starts_with(prefix)) key.erase(0, prefix.size());
  const GpuModel* best = nullptr;  // "a100sxm480gb" is an "a100sxm4", not an "a10"
  std::size_t length = 0;
  for (const GpuModel& model : all_gpu_models()) {
    const std::string known = gpu_key(model.name);
    if (known.size() > length && key.starts_with(known) && model.compute_cap > 0) {
      best = &model;
      length = known.size();
    }
  }
  return best ? fixed(best->compute_cap / 100.0, 1) : "8.6";
}

std::vector<StandIn> stand_ins(const MachineSpec& spec, const std::optional<std::filesystem::path>& python) {
  std::vector<StandIn> out = {
      {"lib/facts", facts(spec, python), false},
      {"lib/init", scripts::kInit},
      {"bin/nvidia-smi", scripts::kNvidiaSmi},
      {"bin/python", scripts::kPython},
      {"bin/python3", scripts::kPython},
      {"bin/pip", scripts::kPip},
      {"bin/pip3", scripts::kPip},
      {"bin/apt-get", scripts::kApt},
      {"bin/apt", scripts::kApt},
      {"lib/torch/__init__.py", scripts::kTorch, false},
      {"lib/torch/cuda.py", scripts::kTorchCuda, false},
      {"lib/torch/version.py", scripts::kTorchVersion, false},
      {"lib/sitecustomize.py", scripts::kSiteCustomize, false},
      {"lib/pip-installed",
       text("pip 24.0\nsetuptools 70.0.0\nnumpy 1.26.4\ntorch ", spec.torch_version, "\n"), false},
      {"site/numpy.py", "__version__ = \"1.26.4\"\n", false},
  };
  // At the host's own pace the host's own programs do, and they know every option.
  if (spec.clock_speed != 1 || spec.clock_skew_seconds != 0) out.push_back({"bin/date", scripts::kDate});
  if (spec.no_curl) {
    out.push_back({"bin/curl", scripts::kNotInstalled});
    out.push_back({"bin/wget", scripts::kNotInstalled});
  }
  if (spec.clock_speed != 1) out.push_back({"bin/sleep", scripts::kSleep});
  return out;
}

}  // namespace vastgpu::sandbox
