#include "server/keeper_seat.h"

#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <csignal>

#include "core/files.h"
#include "core/text.h"

namespace vastgpu {

bool KeeperHolder::lives() const { return pid > 0 && (::kill(pid, 0) == 0 || errno == EPERM); }

KeeperSeat::KeeperSeat(const std::filesystem::path& state_folder, const std::filesystem::path& ledger)
    : folder_(state_folder / "locks"),
      // Hashed, since a lock's name is cut at 64 characters and the account's id stands at the end.
      name_("keeper-" + sha256_hex(ledger.filename().string()).substr(0, 16)) {}

std::optional<KeeperHolder> KeeperSeat::holder() const {
  const auto line = FileLock::holder(folder_, name_);
  if (!line) return std::nullopt;
  const auto words = split(*line, ' ');
  KeeperHolder holder;
  if (words.size() == 3) {
    std::from_chars(words[0].data(), words[0].data() + words[0].size(), holder.pid);
    holder.since = words[1];
    holder.version = words[2];
  }
  return holder;
}

Result<FileLock> KeeperSeat::take() const {
  SystemClock clock;
  auto lock = FileLock::acquire(folder_, name_, clock, clock.now() + std::chrono::seconds(2), {});
  if (lock) (void)lock->sign("");  // until it is signed, nobody should read the name of the one before
  return lock;
}

Result<void> KeeperSeat::sign(FileLock& seat) {
  return seat.sign(text(::getpid(), " ", to_iso8601(SystemClock().now()), " ", VASTGPU_VERSION));
}

std::string to_words(const KeeperHolder& holder) {
  if (holder.pid == 0) return "which is just starting";
  return text("pid ", holder.pid, ", since ", holder.since, ", version ", holder.version);
}

}  // namespace vastgpu
