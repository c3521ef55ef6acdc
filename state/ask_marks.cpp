#include "state/ask_marks.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>

#include "core/fd.h"
#include "core/files.h"
#include "core/text.h"
#include "state/private_folder.h"

namespace vastgpu {
namespace {

constexpr std::size_t kKeyText = 64;                 // 32 bytes as hex
constexpr auto kKeepMarks = std::chrono::hours(1);   // past the end: a clock may be set back a little
constexpr auto kKeepFiles = std::chrono::hours(24);  // from their making: a clock may jump ahead and back

Error trouble(const std::string& what, const std::filesystem::path& path, int number) {
  return {.code = Code::unavailable,
          .what = what + " " + path.string() + ": " + std::strerror(number),
          .next_step = "check the disk and the folder's permissions"};
}

void sync_folder(const std::filesystem::path& folder) {
  const Fd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd) ::fsync(fd.get());
}

std::string bytes_of_hex(std::string_view hex) {
  std::string out;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    unsigned value = 0;
    const auto [end, bad] = std::from_chars(hex.data() + i, hex.data() + i + 2, value, 16);
    if (bad != std::errc{} || end != hex.data() + i + 2) return {};
    out += static_cast<char>(value);
  }
  return out;
}

Result<Secret> read_key(const std::filesystem::path& path) {
  auto content = read_file(path, 4096);
  if (!content) return fail(std::move(content).error());
  const std::string_view hex = trim(*content);
  std::string raw = hex.size() == kKeyText ? bytes_of_hex(hex) : std::string();
  if (raw.size() != kKeyText / 2)
    return fail({.code = Code::corrupt,
                 .what = path.string() + " does not hold a key",
                 .next_step = "remove it: a new one is made, and questions that are open are asked again"});
  return Secret(std::move(raw));
}

/// The whole file appears at once under its name, or the one of somebody faster stays.
Result<void> make_key(const std::filesystem::path& path) {
  const auto draft = path.parent_path() / (".ask." + random_hex(6) + ".tmp");
  const std::string content = random_hex(kKeyText / 2) + "\n";
  {
    const Fd fd(::open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!fd) return fail(trouble("cannot create", draft, errno));
    const ssize_t n = ::write(fd.get(), content.data(), content.size());
    if (n != static_cast<ssize_t>(content.size()) || ::fsync(fd.get()) != 0) {
      const int number = n < 0 || errno != 0 ? errno : ENOSPC;
      ::unlink(draft.c_str());
      return fail(trouble("cannot write", draft, number));
    }
  }
  const int linked = ::link(draft.c_str(), path.c_str());
  const int number = errno;
  ::unlink(draft.c_str());
  if (linked != 0 && number != EEXIST) return fail(trouble("cannot create", path, number));
  sync_folder(path.parent_path());
  return {};
}

/// "1795250000-<mark>": the name says until when it counts.
std::string name_of(const std::string& mark, TimePoint until) {
  return text(std::chrono::ceil<std::chrono::seconds>(until).time_since_epoch().count(), "-", mark);
}

void remove_old(const std::filesystem::path& folder, TimePoint now) {
  std::error_code bad;
  const auto limit = std::chrono::floor<std::chrono::seconds>(now - kKeepMarks).time_since_epoch().count();
  for (auto at = std::filesystem::directory_iterator(folder, bad);
       !bad && at != std::filesystem::directory_iterator(); at.increment(bad)) {
    const std::string name = at->path().filename().string();
    std::int64_t until = 0;
    const auto [end, wrong] = std::from_chars(name.data(), name.data() + name.size(), until);
    if (wrong != std::errc{} || end == name.data() + name.size() || *end != '-' || until >= limit) continue;
    std::error_code gone;
    const auto made = std::filesystem::last_write_time(at->path(), gone);
    if (gone || std::filesystem::file_time_type::clock::now() - made < kKeepFiles) continue;
    std::filesystem::remove(at->path(), gone);
  }
}

}  // namespace

Result<Secret> AskMarks::key() {
  const std::scoped_lock hold(mutex_);
  if (!key_.empty()) return key_;
  const auto path = folder_ / "ask.key";
  auto found = read_key(path);
  if (!found && found.error().code == Code::not_found) {
    if (auto folder = make_private_folder(folder_); !folder) return fail(std::move(folder).error());
    if (auto made = make_key(path); !made) return fail(std::move(made).error());
    found = read_key(path);
  }
  if (found) key_ = *found;
  return found;
}

Result<bool> AskMarks::take(const std::string& mark, TimePoint until, TimePoint now) {
  if (!is_plain_name(mark))
    return fail({.code = Code::invalid_argument, .what = "that is no mark", .next_step = "ask again"});
  const auto folder = folder_ / "asked";
  if (auto made = make_private_folder(folder); !made) return fail(std::move(made).error());
  remove_old(folder, now);
  const auto path = folder / name_of(mark, until);
  const Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd && errno == EEXIST) return false;
  if (!fd) return fail(trouble("cannot create", path, errno));
  if (::fsync(fd.get()) != 0) return fail(trouble("cannot sync", path, errno));
  sync_folder(folder);
  return true;
}

}  // namespace vastgpu
