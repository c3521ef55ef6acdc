#pragma once
// Where our private records live. Reads the environment; any thread.

#include <filesystem>

namespace vastgpu {

/// $XDG_STATE_HOME/vast-gpu, by default ~/.local/state/vast-gpu. A relative XDG_STATE_HOME is ignored.
/// @source XDG Base Directory Specification
std::filesystem::path state_folder();

}  // namespace vastgpu
