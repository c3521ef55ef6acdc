#include "remote/file_reading.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace vastgpu {

std::optional<WatchedFile> WatchedFile::open(const LocalTree& tree, const LocalFile& file) {
  Fd fd(::open(tree.place_of(file).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW));
  if (!fd) return std::nullopt;
  WatchedFile made(std::move(fd), file);
  if (!made.unchanged()) return std::nullopt;
  return made;
}

bool WatchedFile::unchanged() const {
  struct stat now {};
  return ::fstat(fd_.get(), &now) == 0 && S_ISREG(now.st_mode) &&
         static_cast<std::uint64_t>(now.st_size) == file_->size &&
         now.st_mtim.tv_sec == file_->changed.seconds && now.st_mtim.tv_nsec == file_->changed.nanoseconds;
}

bool WatchedFile::read(std::uint64_t offset, std::span<char> into) const {
  while (!into.empty()) {
    const ssize_t n = ::pread(fd_.get(), into.data(), into.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    offset += static_cast<std::uint64_t>(n);
    into = into.subspan(static_cast<std::size_t>(n));
  }
  return true;
}

std::string sample_of(const LocalTree& tree, const LocalFile& file, std::size_t at_most) {
  const auto open = WatchedFile::open(tree, file);
  if (!open) return "";
  std::string sample(std::min<std::uint64_t>(file.size, at_most), '\0');
  if (sample.size() == file.size) return open->read(0, sample) ? sample : "";
  const std::size_t part = at_most / 4;
  for (std::uint64_t i = 0; i < 4; ++i)
    if (!open->read((file.size - part) / 3 * i, std::span<char>(sample).subspan(i * part, part))) return "";
  return sample;
}

bool pays_to_pack(Packing packing, const std::string& sample) {
  if (packing == Packing::none || sample.empty()) return false;
  const auto packed = pack_block(packing, sample);
  return packed && packed->size() < sample.size() - sample.size() / 10;
}

}  // namespace vastgpu
