#include "server/transport.h"

#include <fcntl.h>
#include <sys/resource.h>

#include <array>
#include <thread>

#include "tests/support/catch.h"

using namespace vastgpu;

namespace {

struct Pipe {
  Pipe() {
    std::array<int, 2> ends{};
    REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
    out = Fd(ends[0]);
    in = Fd(ends[1]);
  }
  void put(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t n = ::write(in.get(), bytes.data(), bytes.size());
      if (n <= 0) throw std::runtime_error("write");
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
  }
  Fd out, in;
};

/// Everything a reader makes of these bytes: lines, "!" for one too long.
std::vector<std::string> read_all(std::string_view bytes, std::size_t max_line, std::size_t piece) {
  Pipe pipe;
  std::jthread writer([&] {
    for (std::string_view rest = bytes; !rest.empty(); rest.remove_prefix(std::min(piece, rest.size())))
      pipe.put(rest.substr(0, piece));
    pipe.in.reset();
  });
  const WakeUp wake;
  LineReader reader(pipe.out.get(), max_line, wake);
  std::vector<std::string> got;
  std::string line;
  for (auto what = reader.next(line); what != LineReader::Got::end; what = reader.next(line))
    got.push_back(what == LineReader::Got::too_long ? "!" : line);
  return got;
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("lines come whole however the bytes arrive") {
  const std::size_t piece = GENERATE(1u, 2u, 3u, 7u, 1000u);
  CAPTURE(piece);
  CHECK(read_all("one\ntwo\r\n\n\r\nthree", 10, piece) == Lines{"one", "two", "three"});
  CHECK(read_all("", 10, piece).empty());
  CHECK(read_all("\n\n\r\n", 10, piece).empty());
  CHECK(read_all("1234567890\n1234567890\r\n12345678901\nok\n", 10, piece) ==
        Lines{"1234567890", "1234567890", "!", "ok"});
  CHECK(read_all("123456789012345", 10, piece) == Lines{"!"});
  CHECK(read_all("a\n12345678901234567890\n", 10, piece) == Lines{"a", "!"});
}

TEST_CASE("a line far beyond the limit is skipped without being kept") {
  rusage before{}, after{};
  ::getrusage(RUSAGE_SELF, &before);
  Pipe pipe;
  std::jthread writer([&] {
    const std::string piece(1 << 20, 'x');
    for (int i = 0; i < 200; ++i) pipe.put(piece);
    pipe.put("\nnext\n");
    pipe.in.reset();
  });
  const WakeUp wake;
  LineReader reader(pipe.out.get(), 1 << 20, wake);
  std::string line;
  CHECK(reader.next(line) == LineReader::Got::too_long);
  CHECK(reader.next(line) == LineReader::Got::line);
  CHECK(line == "next");
  CHECK(reader.next(line) == LineReader::Got::end);
  ::getrusage(RUSAGE_SELF, &after);
  CHECK(after.ru_maxrss - before.ru_maxrss < 40 * 1024);  // kB; the line had 200 MB
}

TEST_CASE("a reader that waits can be woken for the end") {
  const Pipe pipe;
  const WakeUp wake;
  LineReader reader(pipe.out.get(), 100, wake);
  pipe.put("half a li");
  std::jthread waker([&] { wake.wake(); });
  std::string line;
  CHECK(reader.next(line) == LineReader::Got::end);
}

TEST_CASE("messages of many threads never mix, whatever their length") {
  Pipe pipe;
  const WakeUp broken;
  LineWriter writer(pipe.in.get(), broken);
  constexpr int kThreads = 4, kMessages = 200;
  std::vector<std::jthread> threads;
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < kMessages; ++i)
        if (!writer.write(
                std::string(static_cast<std::size_t>(1 + (i * 97) % 20'000), static_cast<char>('a' + t))))
          return;
    });
  const WakeUp wake;
  LineReader reader(pipe.out.get(), 1 << 20, wake);
  std::string line;
  int whole = 0;
  for (; whole < kThreads * kMessages && reader.next(line) == LineReader::Got::line; ++whole)
    if (line.find_first_not_of(line[0]) != std::string::npos) FAIL("mixed");
  CHECK(whole == kThreads * kMessages);
}

TEST_CASE("when nobody reads any more, writing fails and says so") {
  Pipe pipe;
  const WakeUp broken;
  LineWriter writer(pipe.in.get(), broken);
  CHECK(writer.write("heard"));
  pipe.out.reset();
  CHECK_FALSE(writer.write("unheard"));
  CHECK(writer.failed());
  const Pipe idle;
  LineReader reader(idle.out.get(), 100, broken);
  std::string line;
  CHECK(reader.next(line) == LineReader::Got::end);
}

TEST_CASE("a client that stops reading cannot keep the server from ending") {
  const Pipe pipe;
  const WakeUp broken;
  LineWriter writer(pipe.in.get(), broken);
  bool written = true;
  std::jthread blocked([&] { written = writer.write(std::string(10 << 20, 'x')); });
  writer.hurry();
  blocked.join();
  CHECK_FALSE(written);
  CHECK_FALSE(writer.write("more"));
}

TEST_CASE("a client that hung up and does not read ends the writing, whoever writes") {
  const Pipe to_client;
  Pipe from_client;
  const WakeUp broken;
  LineWriter writer(to_client.in.get(), broken, from_client.out.get());
  bool written = true;
  std::jthread blocked([&] { written = writer.write(std::string(10 << 20, 'x')); });
  from_client.in.reset();
  blocked.join();
  CHECK_FALSE(written);
  CHECK(writer.failed());
}

TEST_CASE("what one long line took is given back") {
  Pipe pipe;
  std::jthread writer([&] {
    pipe.put(std::string(8 << 20, 'x') + "\nshort\n");
    pipe.in.reset();
  });
  const WakeUp wake;
  LineReader reader(pipe.out.get(), 16 << 20, wake);
  std::string line;
  REQUIRE(reader.next(line) == LineReader::Got::line);
  CHECK(line.size() == 8 << 20);
  REQUIRE(reader.next(line) == LineReader::Got::line);
  CHECK(line == "short");
  CHECK(line.capacity() < 1 << 20);
}
