#include "tools/file_end.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/fd.h"

namespace vastgpu {
namespace {

Error io_error(const std::filesystem::path& path, int number) {
  return {.code = number == ENOENT ? Code::not_found : Code::unavailable,
          .what = "cannot read " + path.string() + ": " + std::strerror(number),
          .next_step = "check the path and its permissions"};
}

}  // namespace

Result<std::string> read_file_end(const std::filesystem::path& path, std::size_t most) {
  // O_NONBLOCK: opening a pipe that nobody writes must not hang.
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return fail(io_error(path, errno));
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return fail(io_error(path, errno));
  if (!S_ISREG(info.st_mode))
    return fail({.code = Code::invalid_argument,
                 .what = path.string() + " is not a regular file",
                 .next_step = "name a file"});
  off_t from = std::max<off_t>(0, info.st_size - static_cast<off_t>(most));
  std::string end(static_cast<std::size_t>(info.st_size - from), '\0');
  std::size_t got = 0;
  while (got < end.size()) {
    const ssize_t n = ::pread(fd.get(), end.data() + got, end.size() - got, from);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(io_error(path, errno));
    if (n == 0) break;  // it became shorter meanwhile
    got += static_cast<std::size_t>(n);
    from += n;
  }
  end.resize(got);
  return end;
}

}  // namespace vastgpu
