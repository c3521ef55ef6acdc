#include "core/log.h"

#include <fcntl.h>
#include <poll.h>

#include <array>
#include <future>

#include "core/fd.h"
#include "tests/support/catch.h"

using namespace vastgpu;
using namespace std::chrono_literals;

namespace {

/// What lies in a pipe now.
std::string drained(int fd) {
  std::string all;
  pollfd readable{fd, POLLIN, 0};
  while (::poll(&readable, 1, 0) > 0) {
    std::array<char, 65536> chunk{};
    const ssize_t n = ::read(fd, chunk.data(), chunk.size());
    if (n <= 0) break;
    all.append(chunk.data(), static_cast<std::size_t>(n));
  }
  return all;
}

}  // namespace

TEST_CASE("a stderr that nobody reads loses lines and says so, and keeps nobody waiting") {
  std::array<int, 2> ends{};
  REQUIRE(::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) == 0);
  const Fd reading(ends[0]), writing(ends[1]);
  const std::string page(4096, 'x');
  while (::write(writing.get(), page.data(), page.size()) > 0) {
  }
  REQUIRE(::fcntl(writing.get(), F_SETFL, 0) == 0);  // blocking again, as a client's pipe is

  const Fd kept(::fcntl(2, F_DUPFD_CLOEXEC, 3));
  ::dup2(writing.get(), 2);
  auto logging = std::async(std::launch::async, [] {
    log_line(LogLevel::facts, "one");
    log_line(LogLevel::facts, "two");
  });
  const bool waited = logging.wait_for(10s) != std::future_status::ready;
  const std::string before = drained(reading.get());  // also frees one that waits
  logging.wait();
  log_line(LogLevel::facts, "three");
  log_line(LogLevel::facts, "four");
  ::dup2(kept.get(), 2);

  CHECK_FALSE(waited);
  CHECK(before.find_first_not_of('x') == std::string::npos);
  CHECK(drained(reading.get()) == "log lines lost=2; nobody read them\nthree\nfour\n");
}
