#include "clients/config_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include "core/text.h"

namespace vastgpu {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxBytes = 32'000'000;  // one of them keeps its whole history in this file

/// Takes a temporary file with it.
class Leftover {
 public:
  Leftover(Disk& disk, fs::path path) : disk_(disk), path_(std::move(path)) {}
  ~Leftover() { disk_.remove(path_); }
  Leftover(const Leftover&) = delete;
  Leftover& operator=(const Leftover&) = delete;

 private:
  Disk& disk_;
  fs::path path_;
};

/// Started by root for a user (sudo that keeps HOME), the new file must stay that user's.
void keep_owner(const fs::path& ours, const ConfigSnapshot& read) {
  struct stat info {};
  const fs::path like = read.text ? read.target : read.target.parent_path();
  if (::geteuid() != 0 || ::stat(like.c_str(), &info) != 0 || info.st_uid == 0) return;
  if (::lchown(ours.c_str(), info.st_uid, info.st_gid) != 0)
    return;  // then it is root's, as it was until now
}

}  // namespace

Result<ConfigSnapshot> read_config(Disk& disk, const fs::path& path) {
  std::error_code none;
  if (!fs::is_directory(path.parent_path(), none)) return ConfigSnapshot{path, {}};
  auto target = disk.resolve(path);
  if (!target) return fail(std::move(target).error());
  auto text = disk.read(*target, kMaxBytes);
  if (text) return ConfigSnapshot{*target, *std::move(text)};
  if (text.error().code == Code::not_found) return ConfigSnapshot{*target, {}};
  return fail(std::move(text).error());
}

Result<bool> write_config(Disk& disk, const ConfigSnapshot& read, const std::string& text, unsigned mode) {
  const fs::path folder = read.target.parent_path();
  const std::string prefix = "." + read.target.filename().string() + ".vast-gpu-";
  std::error_code bad;
  if (!read.text) fs::create_directories(folder, bad);
  disk.sweep(folder, prefix);
  const fs::path ours = folder / (prefix + random_hex(6));
  const Leftover leftover(disk, ours);
  const auto written =
      disk.write(ours, text, read.text ? disk.mode(read.target) : std::optional(mode)).and_then([&] {
        return disk.sync(ours);
      });
  if (!written) return fail(written.error());
  keep_owner(ours, read);

  const auto synced = [&] { return disk.sync_dir(folder).map([] { return true; }); };
  if (!read.text)
    return disk.rename_new(ours, read.target).and_then([&](bool made) -> Result<bool> {
      return made ? synced() : Result<bool>(false);
    });
  if (const auto now = disk.read(read.target, kMaxBytes); !now || *now != *read.text) return false;
  auto exchanged = disk.exchange(ours, read.target);
  if (!exchanged) return exchanged;
  if (!*exchanged) {  // a file system without it: the look above has to do
    if (auto renamed = disk.rename(ours, read.target); !renamed) return fail(std::move(renamed).error());
    return synced();
  }
  // What we displaced shows whether somebody wrote after our look; then theirs goes back.
  if (const auto displaced = disk.read(ours, kMaxBytes); !displaced || *displaced != *read.text)
    return disk.exchange(ours, read.target).map([](bool) { return false; });
  return synced();
}

Result<bool> remove_config(Disk& disk, const ConfigSnapshot& read) {
  const auto now = disk.read(read.target, kMaxBytes);
  if (!now || !read.text || *now != *read.text) return false;
  disk.remove(read.target);
  return disk.sync_dir(read.target.parent_path()).map([] { return true; });
}

}  // namespace vastgpu
