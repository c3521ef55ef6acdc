// A far link between two network namespaces, for measuring: a delay, a rate, a drop-tail queue and random
// loss in each direction, carried by this program between two TUN devices. Needs root and /dev/net/tun.
//
//   far_link NAMESPACE_A NAMESPACE_B --delay-ms 40 --mbit 200 --queue-kb 2048 --loss-ppm 0
//
// A is 10.87.0.1, B is 10.87.0.2. Prints "ready" and works until its input ends; then the namespaces are
// gone.
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <iostream>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::nanoseconds;

struct Settings {
  std::string a, b;
  double delay_ms = 40, mbit = 200;
  std::size_t queue_bytes = 2048 * 1024;
  unsigned loss_ppm = 0;
};

bool run(const std::string& command) { return std::system((command + " >/dev/null 2>&1").c_str()) == 0; }

/// A TUN device inside a namespace; its packets are read and written here.
int open_tun(const std::string& space, const std::string& name, const std::string& own,
             const std::string& other) {
  int fd = -1;
  std::thread inside([&] {  // a thread has a namespace of its own
    const int to = ::open(("/run/netns/" + space).c_str(), O_RDONLY | O_CLOEXEC);
    if (to < 0 || ::setns(to, CLONE_NEWNET) != 0) return;
    fd = ::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    ifreq ask{};
    ask.ifr_flags = IFF_TUN | IFF_NO_PI;
    std::strncpy(ask.ifr_name, name.c_str(), IFNAMSIZ - 1);
    if (fd >= 0 && ::ioctl(fd, TUNSETIFF, &ask) != 0) {
      ::close(fd);
      fd = -1;
    }
    ::close(to);
  });
  inside.join();
  const std::string in = "ip -n " + space + " ";
  if (fd < 0 || !run(in + "addr add " + own + " peer " + other + " dev " + name) ||
      !run(in + "link set " + name + " mtu 1500 txqueuelen 10000 up") || !run(in + "link set lo up"))
    return -1;
  return fd;
}

/// One direction: what enters leaves after its turn on the wire and the delay, unless the queue is full or
/// chance takes it.
class Direction {
 public:
  Direction(int from, int to, const Settings& s, unsigned seed)
      : from_(from), to_(to), s_(s), chance_(seed) {}

  void take() {
    std::array<char, 2048> packet;
    for (;;) {
      const ssize_t n = ::read(from_, packet.data(), packet.size());
      if (n <= 0) return;
      const auto size = static_cast<std::size_t>(n);
      const auto now = Clock::now();
      while (!waiting_.empty() && waiting_.front().sent <= now) {
        waiting_bytes_ -= waiting_.front().size;
        waiting_.pop_front();
      }
      if (std::uniform_int_distribution<unsigned>(0, 999'999)(chance_) < s_.loss_ppm) continue;
      if (waiting_bytes_ + size > s_.queue_bytes) continue;
      const auto turn = nanoseconds(static_cast<std::int64_t>(static_cast<double>(size) * 8000 / s_.mbit));
      free_at_ = std::max(free_at_, now) + turn;
      waiting_.push_back({free_at_, size});
      waiting_bytes_ += size;
      const auto due = free_at_ + nanoseconds(static_cast<std::int64_t>(s_.delay_ms * 1e6));
      flying_.push_back({due, {packet.data(), packet.data() + size}});
    }
  }
  void give() {
    const auto now = Clock::now();
    for (; !flying_.empty() && flying_.front().due <= now; flying_.pop_front())
      (void)!::write(to_, flying_.front().bytes.data(), flying_.front().bytes.size());
  }
  Clock::time_point next() const { return flying_.empty() ? Clock::time_point::max() : flying_.front().due; }

 private:
  struct Waiting {
    Clock::time_point sent;
    std::size_t size;
  };
  struct Flying {
    Clock::time_point due;
    std::vector<char> bytes;
  };
  int from_, to_;
  const Settings& s_;
  std::mt19937 chance_;
  std::deque<Waiting> waiting_;  // for the wire
  std::size_t waiting_bytes_ = 0;
  std::deque<Flying> flying_;
  Clock::time_point free_at_{};
};

int carry(const Settings& s) {
  const int a = open_tun(s.a, "far0", "10.87.0.1", "10.87.0.2");
  const int b = open_tun(s.b, "far0", "10.87.0.2", "10.87.0.1");
  if (a < 0 || b < 0) {
    std::cerr << "no TUN device: this needs root and /dev/net/tun\n";
    return 1;
  }
  std::cout << "ready" << std::endl;
  Direction there(a, b, s, 1), back(b, a, s, 2);
  ::prctl(PR_SET_TIMERSLACK, 1000UL);
  for (;;) {
    const auto next = std::min(there.next(), back.next());
    timespec pause{1, 0};
    if (next != Clock::time_point::max()) {
      const auto rest = std::max<std::int64_t>(0, nanoseconds(next - Clock::now()).count());
      pause = {rest / 1'000'000'000, rest % 1'000'000'000};
    }
    pollfd watched[] = {{a, POLLIN, 0}, {b, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
    (void)::ppoll(watched, 3, &pause, nullptr);
    if (watched[2].revents != 0) {
      char byte = 0;
      if (::read(STDIN_FILENO, &byte, 1) <= 0) return 0;
    }
    if (watched[0].revents != 0) there.take();
    if (watched[1].revents != 0) back.take();
    there.give();
    back.give();
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (words.size() < 2 || words.size() % 2 != 0) {
    std::cerr << "usage: far_link A B [--delay-ms N] [--mbit N] [--queue-kb N] [--loss-ppm N]\n";
    return 2;
  }
  Settings s;
  s.a = words[0];
  s.b = words[1];
  for (std::size_t i = 2; i + 1 < words.size(); i += 2) {
    const double value = std::atof(words[i + 1].c_str());
    if (words[i] == "--delay-ms") s.delay_ms = value;
    if (words[i] == "--mbit") s.mbit = value;
    if (words[i] == "--queue-kb") s.queue_bytes = static_cast<std::size_t>(value * 1024);
    if (words[i] == "--loss-ppm") s.loss_ppm = static_cast<unsigned>(value);
  }
  if (!run("ip netns add " + s.a) || !run("ip netns add " + s.b)) {
    std::cerr << "no network namespaces: this needs root and iproute2\n";
    run("ip netns del " + s.a);
    return 1;
  }
  const int code = carry(s);
  run("ip netns del " + s.a);
  run("ip netns del " + s.b);
  return code;
}
