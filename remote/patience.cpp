#include "remote/patience.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/text.h"

namespace vastgpu {
namespace {

constexpr std::chrono::milliseconds kWithoutWake{
    100};                                         // no eventfd to be had: look at the stop token this often
constexpr std::chrono::hours kLongest{24 * 365};  // a larger limit would overflow the clock

}  // namespace

void Patience::Wake::operator()() const noexcept {
  const std::uint64_t one = 1;
  // It can only fail when it is readable already, and then the waiter is awake.
  [[maybe_unused]] const ssize_t written = ::write(fd, &one, sizeof one);
}

Patience::Patience(Milliseconds limit, std::stop_token stop, Kind kind)
    : limit_(std::clamp<Milliseconds>(limit, Milliseconds(0), kLongest)),
      kind_(kind),
      deadline_(std::chrono::steady_clock::now() + limit_),
      stop_(stop),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      on_stop_(std::move(stop), Wake{wake_.get()}) {}

void Patience::moved() {
  if (kind_ == Kind::idle) deadline_ = std::chrono::steady_clock::now() + limit_;
}

Patience::Milliseconds Patience::left() const {
  return std::max(Milliseconds(0),
                  std::chrono::ceil<Milliseconds>(deadline_ - std::chrono::steady_clock::now()));
}

Result<void> Patience::check() const {
  if (stop_.stop_requested())
    return fail({.code = Code::cancelled, .what = "stopped on request", .next_step = "call again to go on"});
  if (left() == Milliseconds(0))
    return fail(
        {.code = Code::unavailable,
         .what = text("no answer within ", fixed(static_cast<double>(limit_.count()) / 1000, 1), " s"),
         .next_step = "try again in a moment"});
  return {};
}

Result<short> Patience::wait(int fd, short events, std::optional<Milliseconds> at_most) {
  const auto until =
      std::chrono::steady_clock::now() + std::min<Milliseconds>(at_most.value_or(kLongest), kLongest);
  for (;;) {
    if (auto fine = check(); !fine) return fail(std::move(fine).error());
    auto pause = left();
    const auto rest = std::chrono::ceil<Milliseconds>(until - std::chrono::steady_clock::now());
    if (rest <= Milliseconds(0) && at_most) return short{0};
    pause = std::min(pause, rest);
    if (!wake_) pause = std::min(pause, kWithoutWake);

    pollfd watched[] = {{fd, events, 0}, {wake_.get(), POLLIN, 0}};
    const int ready = ::poll(watched, 2, static_cast<int>(std::min<std::int64_t>(pause.count(), 1'000'000)));
    if (ready < 0 && errno != EINTR && errno != EAGAIN)
      return fail(
          {.code = Code::internal, .what = text("poll: ", std::strerror(errno)), .next_step = "report this"});
    if (ready > 0 && watched[0].revents != 0 && !stop_.stop_requested()) return watched[0].revents;
  }
}

}  // namespace vastgpu
