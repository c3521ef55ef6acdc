#include "remote/temporary_names.h"

#include <algorithm>
#include <array>

#include "core/text.h"

namespace vastgpu {
namespace {

bool has(std::string_view s, std::string_view piece) { return s.find(piece) != std::string_view::npos; }

bool is_digits(std::string_view s) {
  return !s.empty() && s.find_first_not_of("0123456789") == std::string_view::npos;
}

/// @source transformers Trainer until 4.39 and in 4.49 (tmp-checkpoint-500), orbax and flax
/// (500.orbax-checkpoint-tmp-17, tmp_500), TensorFlow's Saver (ckpt-1_temp_<hash>, *.tempstate<n>),
/// torch.distributed.checkpoint (.metadata.tmp), huggingface_hub (*.incomplete), NeMo (*-unfinished), editors
/// and office programs (.~lock.x#, .x.swp), aria2, gsutil, browsers.
bool is_temporary(std::string_view name, bool folder) {
  constexpr auto starts = std::to_array<std::string_view>({"tmp-checkpoint", "tmp_checkpoint", ".~lock."});
  constexpr auto ends =
      std::to_array<std::string_view>({".tmp", ".temp", ".part", ".partial", ".incomplete", ".swp", ".aria2",
                                       ".crdownload", "_.gstmp", "-unfinished", ".~tmp~"});
  const auto starts_so = [&](std::string_view s) { return name.starts_with(s); };
  const auto ends_so = [&](std::string_view s) { return name.size() > s.size() && name.ends_with(s); };
  if (std::ranges::any_of(starts, starts_so) || std::ranges::any_of(ends, ends_so)) return true;
  if (has(name, ".orbax-checkpoint-tmp") || has(name, ".tempstate") || has(name, ".tmp.")) return true;
  // mkstemp beside the final name, as safetensors and Python's tempfile make it: ".tmpa1B2c3".
  if (name.starts_with(".tmp")) return true;
  if (const auto at = name.rfind("_temp_"); at != std::string_view::npos && name.size() - at >= 6 + 16)
    return true;
  return folder && name.starts_with("tmp_") && is_digits(name.substr(4));
}

/// "checkpoint-500", "ckpt_12", "epoch=3-step=100", "global_step200", "step_100"
bool is_checkpoint_folder(std::string_view name) {
  constexpr auto starts =
      std::to_array<std::string_view>({"checkpoint", "ckpt", "epoch", "global_step", "step", "iter"});
  for (const std::string_view start : starts) {
    if (!starts_with_ignoring_case(name, start)) continue;
    std::string_view rest = name.substr(start.size());
    if (!rest.empty() && has("-_=", rest.substr(0, 1))) rest.remove_prefix(1);
    if (!rest.empty() && rest.front() >= '0' && rest.front() <= '9') return true;
  }
  return false;
}

bool is_weights(std::string_view name) {
  constexpr auto ends =
      std::to_array<std::string_view>({".pt", ".pth", ".ckpt", ".safetensors", ".h5", ".keras", ".distcp",
                                       ".msgpack", ".nemo", ".gguf", ".orbax"});
  const std::string lower = to_lower(name);
  return std::ranges::any_of(ends, [&](std::string_view s) { return lower.ends_with(s); }) ||
         lower == "pytorch_model.bin" || lower == "adapter_model.bin";
}

}  // namespace

std::optional<std::string_view> temporary_part(std::string_view path) {
  for (std::size_t from = 0; from <= path.size();) {
    const std::size_t slash = std::min(path.find('/', from), path.size());
    if (is_temporary(path.substr(from, slash - from), slash < path.size())) return path.substr(0, slash);
    from = slash + 1;
  }
  return std::nullopt;
}

std::optional<std::string_view> checkpoint_of(std::string_view path) {
  std::size_t from = 0;
  for (std::size_t slash; (slash = path.find('/', from)) != std::string_view::npos; from = slash + 1)
    if (is_checkpoint_folder(path.substr(from, slash - from))) return path.substr(0, slash);
  if (is_weights(path.substr(from))) return path;
  return std::nullopt;
}

}  // namespace vastgpu
