#include "remote/part_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>

#include "core/crash_point.h"
#include "core/files.h"
#include "core/text.h"

namespace vastgpu {
namespace {

constexpr std::size_t kLongestJournal = 8'000'000;  // bytes; more is not ours

/// A regular file of ours alone: whoever may write into this folder could have put a link there.
Fd open_own(const Fd& folder, const std::string& name, int flags) {
  Fd fd(::openat(folder.get(), name.c_str(), flags | O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
                 0666));
  struct stat info {};
  if (fd && (::fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode) || info.st_nlink != 1 ||
             info.st_uid != ::geteuid()))
    return Fd();
  return fd;
}

/// Whether the name still leads to it: another process may have given it its final name meanwhile.
bool leads_to(const Fd& folder, const std::string& name, const Fd& file) {
  struct stat named {
  }, opened{};
  return ::fstatat(folder.get(), name.c_str(), &named, AT_SYMLINK_NOFOLLOW) == 0 &&
         ::fstat(file.get(), &opened) == 0 && named.st_dev == opened.st_dev && named.st_ino == opened.st_ino;
}

std::string state_of(std::uint64_t size, FileTime changed) {
  return text(size, " ", changed.seconds, ".", changed.nanoseconds);
}

std::string read_all(const Fd& fd) {
  std::string out;
  char buffer[16'384];
  for (ssize_t n; (n = ::pread(fd.get(), buffer, sizeof buffer, static_cast<off_t>(out.size()))) > 0;) {
    out.append(buffer, static_cast<std::size_t>(n));
    if (out.size() > kLongestJournal) return {};
  }
  return out;
}

}  // namespace

Error cannot_on_disk(const std::string& what, const std::string& path, int error_number) {
  const bool link = error_number == ELOOP || error_number == ENOTDIR;
  const bool full = error_number == ENOSPC || error_number == EDQUOT || error_number == EFBIG;
  return {.code = Code::unavailable,
          .what = text(what, " ", path, ": ",
                       link ? "a link or a file stands in the way" : std::strerror(error_number)),
          .next_step = full ? "free some disk space and call again: what is home stays"
                            : "check that folder and its permissions"};
}

std::string PartFile::name_of(const std::string& name, std::uint64_t size, FileTime changed) {
  return text(kResumablePrefix, sha256_hex(name).substr(0, 16), "-",
              sha256_hex(state_of(size, changed)).substr(0, 16));
}

Result<std::unique_ptr<PartFile>> PartFile::open(std::shared_ptr<const Fd> folder, const std::string& name,
                                                 std::uint64_t size, FileTime changed,
                                                 const std::string& owner) {
  const CrashPoints crash("disk");
  std::unique_ptr<PartFile> part(new PartFile);
  part->folder_ = std::move(folder);
  part->name_ = name;
  part->size_ = size;
  part->header_ = "vast-gpu part 1 " + state_of(size, changed) + "\n";
  part->temporary_ = name_of(owner + name, size, changed);
  part->file_ = open_own(*part->folder_, part->temporary_, 0);
  if (!part->file_ || ::flock(part->file_.get(), LOCK_EX | LOCK_NB) != 0 ||
      !leads_to(*part->folder_, part->temporary_, part->file_)) {
    // Somebody else is at it: a part of our own, which nobody will take up.
    part->temporary_ = std::string(kPartPrefix) + random_hex(8);
    part->keep_ = false;
    part->file_ = open_own(*part->folder_, part->temporary_, O_EXCL);
    if (!part->file_) return fail(cannot_on_disk("cannot create", name, errno));
    return part;
  }
  part->remove_other_states();
  part->journal_name_ = part->temporary_ + ".journal";
  part->journal_ = open_own(*part->folder_, part->journal_name_, 0);
  if (part->journal_) part->read_journal();
  return part;
}

void PartFile::read_journal() {
  const std::string said = read_all(journal_);
  struct stat info {};
  const bool sound = said.starts_with(header_) && ::fstat(file_.get(), &info) == 0;
  if (!sound) {
    if (::ftruncate(journal_.get(), 0) == 0) static_cast<void>(::ftruncate(file_.get(), 0));
    const ssize_t n = ::pwrite(journal_.get(), header_.data(), header_.size(), 0);
    if (n != static_cast<ssize_t>(header_.size())) journal_ = Fd();
    return;
  }
  const auto there = std::min(size_, static_cast<std::uint64_t>(info.st_size));
  std::string_view rest = std::string_view(said).substr(header_.size());
  // A crash may have cut the last line, or left zeros: from there on nothing counts.
  for (std::size_t end; (end = rest.find('\n')) != std::string_view::npos; rest.remove_prefix(end + 1)) {
    Range r;
    const char *from = rest.data(), *to = rest.data() + end;
    const auto [middle, bad] = std::from_chars(from, to, r.from);
    if (bad != std::errc() || middle == to || *middle != ' ') break;
    const auto [last, worse] = std::from_chars(middle + 1, to, r.to);
    if (worse != std::errc() || last != to || r.from >= r.to || r.to > there) break;
    landed_.add(r);
  }
  resumed_ = landed_.total();
  // What does not count goes away, so that further lines stand behind good ones.
  static_cast<void>(::ftruncate(journal_.get(), static_cast<off_t>(said.size() - rest.size())));
}

/// The same name, written at another time: nobody will ask for that state again.
void PartFile::remove_other_states() const {
  const std::string_view of = std::string_view(temporary_).substr(0, kResumablePrefix.size() + 17);
  const int copy = ::openat(folder_->get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (copy < 0) return;
  DIR* list = ::fdopendir(copy);
  if (list == nullptr) {
    ::close(copy);
    return;
  }
  while (const dirent* entry = ::readdir(list)) {
    const std::string_view found = entry->d_name;
    if (found.starts_with(of) && !found.starts_with(temporary_)) ::unlinkat(copy, entry->d_name, 0);
  }
  ::closedir(list);
}

PartFile::~PartFile() {
  if (!folder_) return;
  if (keep_ && journal_ && landed().total() > 0) {
    (void)save();  // a full disk keeps what was saved before
    return;
  }
  drop();
}

Result<void> PartFile::write(std::uint64_t at, std::string_view piece) {
  const CrashPoints crash("disk");
  const Range whole{at, at + piece.size()};
  for (std::uint64_t to = at; !piece.empty();) {
    const ssize_t n = ::pwrite(file_.get(), piece.data(), piece.size(), static_cast<off_t>(to));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(cannot_on_disk("cannot write", name_, errno));
    piece.remove_prefix(static_cast<std::size_t>(n));
    to += static_cast<std::uint64_t>(n);
  }
  const std::scoped_lock hold(mutex_);
  landed_.add(whole);
  // Pieces come in order, so that neighbours usually grow together.
  for (Range& r : unsaved_)
    if (r.to == whole.from) {
      r.to = whole.to;
      return {};
    }
  unsaved_.push_back(whole);
  return {};
}

Ranges PartFile::landed() const {
  const std::scoped_lock hold(mutex_);
  return landed_;
}

std::uint64_t PartFile::prefix() const {
  const std::scoped_lock hold(mutex_);
  return landed_.prefix();
}

Result<std::size_t> PartFile::read(std::uint64_t at, char* into, std::size_t size) const {
  for (;;) {
    const ssize_t n = ::pread(file_.get(), into, size, static_cast<off_t>(at));
    if (n > 0) return static_cast<std::size_t>(n);
    if (n < 0 && errno == EINTR) continue;
    return fail(cannot_on_disk("cannot read", name_, n == 0 ? EIO : errno));
  }
}

Result<void> PartFile::save() {
  std::vector<Range> news;
  {
    const std::scoped_lock hold(mutex_);
    news = std::exchange(unsaved_, {});
  }
  if (!journal_ || news.empty()) return {};
  const CrashPoints crash("disk");
  if (::fdatasync(file_.get()) != 0) return fail(cannot_on_disk("cannot sync", name_, errno));
  std::string lines;
  for (const Range& r : news) lines += text(r.from, " ", r.to, "\n");
  const off_t end = ::lseek(journal_.get(), 0, SEEK_END);
  const ssize_t n = end < 0 ? -1 : ::pwrite(journal_.get(), lines.data(), lines.size(), end);
  if (n == static_cast<ssize_t>(lines.size())) return {};
  const int why = n < 0 ? errno : ENOSPC;
  // Half a line would join the next one.
  if (end < 0 || ::ftruncate(journal_.get(), end) != 0) journal_ = Fd();
  return fail(cannot_on_disk("cannot write the journal of", name_, why));
}

Result<void> PartFile::restart() {
  const std::scoped_lock hold(mutex_);
  landed_ = {};
  unsaved_.clear();
  resumed_ = 0;
  if (journal_ && ::ftruncate(journal_.get(), static_cast<off_t>(header_.size())) != 0) journal_ = Fd();
  if (::ftruncate(file_.get(), 0) != 0) return fail(cannot_on_disk("cannot write", name_, errno));
  return {};
}

Result<void> PartFile::close(FileTime changed) {
  const CrashPoints crash("disk");
  const timespec times[] = {{0, UTIME_OMIT}, {static_cast<time_t>(changed.seconds), changed.nanoseconds}};
  ::futimens(file_.get(), times);
  if (::fsync(file_.get()) != 0) return fail(cannot_on_disk("cannot sync", name_, errno));
  return {};
}

void PartFile::drop() {
  if (!folder_) return;
  if (!temporary_.empty()) ::unlinkat(folder_->get(), temporary_.c_str(), 0);
  placed();
}

void PartFile::placed() {
  if (!journal_name_.empty()) ::unlinkat(folder_->get(), journal_name_.c_str(), 0);
  folder_.reset();
}

}  // namespace vastgpu
