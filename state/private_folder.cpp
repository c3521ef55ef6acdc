#include "state/private_folder.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/crash_point.h"

namespace vastgpu {

Result<void> make_private_folder(const std::filesystem::path& folder) {
  const auto refuse = [&](int number) {
    return fail({.code = Code::unavailable,
                 .what = "cannot make the folder " + folder.string() + ": " + std::strerror(number),
                 .next_step = "check its permissions, or set XDG_STATE_HOME to a folder of yours"});
  };
  struct stat info {};
  if (::stat(folder.c_str(), &info) != 0) {
    if (folder.has_parent_path() && folder.parent_path() != folder &&
        !std::filesystem::exists(folder.parent_path()))
      if (auto parent = make_private_folder(folder.parent_path()); !parent) return parent;
    const CrashPoints crash("disk");
    if (::mkdir(folder.c_str(), 0700) == 0) return {};
    const int number = errno;
    if (number != EEXIST || ::stat(folder.c_str(), &info) != 0)
      return refuse(number);  // EEXIST: another process won
  }
  if (!S_ISDIR(info.st_mode)) return refuse(ENOTDIR);
  return {};
}

}  // namespace vastgpu
