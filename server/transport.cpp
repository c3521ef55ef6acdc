#include "server/transport.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <utility>

#include "server/server.h"

namespace vastgpu {
namespace {

constexpr std::size_t kChunk = 64 * 1024;  // what a pipe holds
constexpr int kHurryMs = 200;              // a live client empties a pipe in far less
constexpr int kHungUpMs = 2000;            // one in a shell pipeline may take a little longer
constexpr std::size_t kKeep = 4 * kChunk;  // of a buffer: what one long line took is given back

}  // namespace

WakeUp::WakeUp() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

void WakeUp::wake() const noexcept {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(fd_.get(), &one, sizeof one);
}

LineReader::Got LineReader::next(std::string& line) {
  if (line.capacity() > kKeep) std::string().swap(line);  // now: the next line may be long in coming
  for (;;) {
    const std::size_t end = buffer_.find('\n', scanned_);
    if (end == std::string::npos && !ended_) {
      scanned_ = buffer_.size();
      // One byte more than the limit, since it may be the \r of the line end.
      if (skipping_ || buffer_.size() - start_ > max_line_ + 1) {
        skipping_ = true;
        buffer_.clear();
        buffer_.shrink_to_fit();
        start_ = scanned_ = 0;
      }
      ended_ = !fill();
      continue;
    }
    const bool last = end == std::string::npos;
    const std::size_t stop = last ? buffer_.size() : end;
    std::string_view found(buffer_.data() + start_, stop - start_);
    if (!found.empty() && found.back() == '\r') found.remove_suffix(1);
    const bool too_long = std::exchange(skipping_, false) || found.size() > max_line_;
    if (!too_long) line.assign(found);

    start_ = scanned_ = last ? stop : end + 1;
    if (start_ == buffer_.size()) {
      buffer_.clear();
      if (buffer_.capacity() > kKeep) buffer_.shrink_to_fit();
      start_ = scanned_ = 0;
    }
    if (too_long) return Got::too_long;
    if (!line.empty()) return Got::line;
    if (last) return Got::end;
  }
}

/// Appends what is there; false at the end.
bool LineReader::fill() {
  if (start_ > 0) {
    buffer_.erase(0, start_);
    if (buffer_.capacity() > kKeep && buffer_.size() < kKeep) buffer_.shrink_to_fit();
    scanned_ -= start_;
    start_ = 0;
  }
  for (;;) {
    pollfd watched[2] = {{fd_, POLLIN, 0}, {wake_.fd(), POLLIN, 0}};
    if (::poll(watched, 2, -1) < 0) {
      if (errno == EINTR) continue;
      return false;
    }
    if (watched[1].revents != 0) {
      buffer_.clear();  // half a line, which nobody will complete
      start_ = scanned_ = 0;
      skipping_ = false;
      return false;
    }
    const std::size_t old = buffer_.size();
    buffer_.resize(old + kChunk);
    const ssize_t n = ::read(fd_, buffer_.data() + old, kChunk);
    buffer_.resize(old + static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
    if (n > 0) return true;
    if (n == 0 || (errno != EINTR && errno != EAGAIN)) return false;
  }
}

bool LineWriter::write(std::string message) {
  message += '\n';
  const std::scoped_lock hold(mutex_);
  if (failed_) return false;
  if (write_all(message)) return true;
  failed_ = true;  // part of a line may be out: nothing sensible can follow it
  broken_.wake();
  return false;
}

void LineWriter::hurry() { hurry_.wake(); }

bool LineWriter::write_all(std::string_view rest) {
  while (!rest.empty()) {
    pollfd watched[3] = {{fd_, POLLOUT, 0}, {hurry_.fd(), POLLIN, 0}, {input_, POLLRDHUP, 0}};
    if (::poll(watched, 3, -1) < 0) {
      if (errno == EINTR) continue;
      return false;
    }
    if (watched[0].revents == 0) {
      // Two, so that a hurry that comes while we wait for a client that hung up shortens the wait.
      const bool hurries = watched[1].revents != 0;
      const int ready = ::poll(watched, hurries ? 1 : 2, hurries ? kHurryMs : kHungUpMs);
      if (ready < 0 && errno == EINTR) continue;
      if (ready == 0) return false;
      if (watched[0].revents == 0) continue;
    }
    // A write of up to PIPE_BUF bytes does not block after POLLOUT; a longer one could, past any hurry. The
    // descriptor stays in blocking mode, since that flag is shared with whoever else holds the pipe.
    const ssize_t n = ::write(fd_, rest.data(), std::min<std::size_t>(rest.size(), PIPE_BUF));
    if (n > 0)
      rest.remove_prefix(static_cast<std::size_t>(n));
    else if (n < 0 && errno != EINTR && errno != EAGAIN)
      return false;
  }
  return true;
}

int claim_stdout() {
  std::signal(SIGPIPE, SIG_IGN);
  // Numbers 0..2 may be closed; the private copy must not become one of them.
  const int mine = ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
  if (mine < 0) return -1;
  if (::dup2(STDERR_FILENO, STDOUT_FILENO) < 0) {  // no stderr: prints must still go nowhere
    const Fd nowhere(::open("/dev/null", O_WRONLY | O_CLOEXEC));
    ::dup2(nowhere.get(), STDOUT_FILENO);
  }
  return mine;
}

}  // namespace vastgpu
