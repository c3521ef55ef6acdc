#include "server/keeper_log.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "core/clock.h"
#include "core/fd.h"
#include "core/text.h"

namespace vastgpu {

void KeeperLog::write(const std::string& line) const {
  const std::string out =
      text(to_iso8601(SystemClock().now()), " ", ::getpid(), " ", clean_line(line, 2000), "\n");
  const auto open = [&] {
    return Fd(
        ::open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600));
  };
  Fd file = open();
  struct stat info {};
  if (file && ::fstat(file.get(), &info) == 0 &&
      info.st_size + static_cast<off_t>(out.size()) > static_cast<off_t>(limit_)) {
    // Two processes that do this at once lose an older file at worst.
    if (::rename(path_.c_str(), (path_.string() + ".1").c_str()) == 0) file = open();
  }
  if (file) [[maybe_unused]]
    const auto written = ::write(file.get(), out.data(), out.size());
}

}  // namespace vastgpu
