#include "fleet/followed_log.h"

#include <algorithm>
#include <fstream>

#include "core/files.h"
#include "core/log.h"
#include "core/text.h"
#include "fleet/jobs.h"

namespace vastgpu {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostRentals = 100;  // whose logs are kept; at most 48 KB a log

/// Makes room for one more rental: those that nobody looked at for longest go.
void make_room(const fs::path& all) {
  std::error_code bad;
  std::vector<std::pair<fs::file_time_type, fs::path>> folders;
  for (fs::directory_iterator at(all, bad), end; !bad && at != end; at.increment(bad))
    folders.emplace_back(fs::last_write_time(at->path(), bad), at->path());
  if (folders.size() < kMostRentals) return;
  std::ranges::sort(folders);
  for (std::size_t n = 0; n + kMostRentals <= folders.size(); ++n) fs::remove_all(folders[n].second, bad);
}

}  // namespace

fs::path followed_log(const fs::path& state_folder, const Rental& rental, const std::string& experiment) {
  return state_folder / "followed" / plain_name(rental.label) / (plain_name(experiment) + ".log");
}

void keep_followed(const fs::path& state_folder, const Rental& rental, const std::string& experiment,
                   const std::string& window) {
  if (window.empty() || state_folder.empty()) return;
  const fs::path file = followed_log(state_folder, rental, experiment);
  if (const auto kept = read_file(file, 4 * kMostWindow); kept && *kept == window) return;
  std::error_code bad;
  const fs::path folder = file.parent_path();
  if (!fs::exists(folder, bad)) make_room(folder.parent_path());
  fs::create_directories(folder, bad);
  fs::permissions(folder.parent_path(), fs::perms::owner_all, bad);
  // Whole by a rename, but not synced: it can be read again from the machine, and a look must not wait.
  const fs::path fresh = folder / (".new-" + random_hex(6));
  std::ofstream out(fresh, std::ios::binary);
  out << window;
  out.close();
  if (out) fs::rename(fresh, file, bad);
  if (!out || bad) {
    log_fact("the end of a log is not kept at home: ", file.string());
    fs::remove(fresh, bad);
  }
}

}  // namespace vastgpu
