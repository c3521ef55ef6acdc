#include "state/folders.h"

#include <cstdlib>

#include "core/files.h"

namespace vastgpu {

std::filesystem::path state_folder() {
  const char* chosen = std::getenv("XDG_STATE_HOME");
  const bool usable = chosen != nullptr && *chosen == '/';
  return (usable ? std::filesystem::path(chosen) : home_folder() / ".local" / "state") / "vast-gpu";
}

}  // namespace vastgpu
