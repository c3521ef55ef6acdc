#pragma once
// Names under which programs write what is not finished yet, and names of checkpoints. Pure functions; any
// thread.

#include <optional>
#include <string>
#include <string_view>

namespace vastgpu {

/// The path up to and with the part that is a temporary name of a framework or a tool; nullopt when there is
/// none: "a/tmp-checkpoint-500/model.bin" -> "a/tmp-checkpoint-500".
std::optional<std::string_view> temporary_part(std::string_view path);

/// What belongs to one checkpoint shares this: the path up to the folder "checkpoint-500", or the file
/// "best.pt" itself; nullopt for other results.
std::optional<std::string_view> checkpoint_of(std::string_view path);

}  // namespace vastgpu
