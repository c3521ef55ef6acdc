#include "fleet/followed_log.h"

#include <algorithm>

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

void keep_followed(const Deps& d, const Rental& rental, const std::string& experiment,
                   const std::string& window) {
  if (window.empty() || d.settings.state_folder.empty()) return;
  const fs::path file = followed_log(d.settings.state_folder, rental, experiment);
  if (const auto kept = read_file(file, 4 * kMostWindow); kept && *kept == window) return;
  std::error_code missing;
  if (!fs::exists(file.parent_path(), missing)) make_room(file.parent_path().parent_path());
  if (auto written = replace_file(file, window, 0600); !written) log_fact(written.error().what);
}

}  // namespace vastgpu
