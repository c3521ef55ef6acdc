#include "sandbox/sandbox.h"

#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>
#include <iostream>
#include <thread>

#include "core/clock.h"
#include "core/fd.h"
#include "core/text.h"
#include "sandbox/http_server.h"
#include "sandbox/machine.h"
#include "sandbox/marketplace.h"
#include "sandbox/room.h"

namespace vastgpu {
namespace {

using namespace sandbox;

int complain(const Error& e) {
  std::cerr << "sandbox: " << e.what << (e.next_step.empty() ? "" : "; " + e.next_step) << std::endl;
  return 1;
}

/// SIGTERM and SIGINT as something to poll, for as long as this lives.
class Signals {
 public:
  Signals() {
    ::sigemptyset(&set_);
    ::sigaddset(&set_, SIGTERM);
    ::sigaddset(&set_, SIGINT);
    ::pthread_sigmask(SIG_BLOCK, &set_, &before_);
    fd_ = Fd(::signalfd(-1, &set_, SFD_CLOEXEC));
  }
  ~Signals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;
  int fd() const { return fd_.get(); }

 private:
  sigset_t set_{}, before_{};
  Fd fd_;
};

/// Removes the sandbox's folder, whatever way the function ends.
struct FolderOwner {
  std::filesystem::path path;
  ~FolderOwner() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
};

void wait_for_the_end(const Signals& signals, bool stdin_is_leash) {
  for (;;) {
    pollfd watched[2]{{signals.fd(), POLLIN, 0}, {stdin_is_leash ? STDIN_FILENO : -1, POLLIN, 0}};
    if (::poll(watched, 2, -1) < 0) {
      if (errno == EINTR) continue;
      return;
    }
    if (watched[0].revents != 0) {
      signalfd_siginfo taken{};  // read, or it would be delivered when the mask goes
      if (::read(signals.fd(), &taken, sizeof taken) > 0) return;
    }
    if (watched[1].revents != 0) {
      char ignored[256];
      if (::read(STDIN_FILENO, ignored, sizeof ignored) <= 0) return;
    }
  }
}

}  // namespace

int run_sandbox(const SandboxOptions& options, bool stdin_is_leash) {
  // A folder of its own below the one that was given: the janitor removes everything in it.
  std::error_code failed;
  const auto parent =
      options.state_folder.empty() ? std::filesystem::temp_directory_path(failed) : options.state_folder;
  const FolderOwner folder{parent / ("vast-gpu-sandbox-" + random_hex(6))};
  std::filesystem::create_directories(folder.path, failed);
  if (!failed) std::filesystem::permissions(folder.path, std::filesystem::perms::owner_all, failed);
  if (failed)
    return complain({.code = Code::unavailable, .what = folder.path.string() + ": " + failed.message()});

  bool machines = options.machines;
  if (machines) {
    if (const auto why = machines_unavailable()) {
      std::cerr << "sandbox: no machines, only the API: " << *why << std::endl;
      machines = false;
    } else if (auto janitor = start_janitor(folder.path); !janitor) {
      return complain(janitor.error());
    }
  } else {
    std::cerr << "sandbox: no machines, only the API, as asked" << std::endl;
  }

  const Signals signals;  // before any thread, so that all of them leave the two signals alone
  ScaledClock clock(options.speed, SystemClock().now());

  auto room = machines ? make_machine_room(folder.path) : make_empty_room();
  WorldOptions world;
  world.seed = options.seed;
  world.offers = options.offers;
  world.credit = options.credit;
  world.clock_speed = options.speed;
  world.net = static_cast<int>(::getpid() % 0xf000 + 0x800);
  Marketplace marketplace(world, options.api_key, clock, *room);
  for (const std::string& fault : options.faults)
    if (auto on = marketplace.switch_on(fault); !on) return complain(on.error());

  HttpServer server(marketplace);
  const auto port = server.start(options.port);
  if (!port) return complain(port.error());
  std::jthread events([&](std::stop_token stop) { marketplace.run(stop); });

  const json ready = {{"url", text("http://127.0.0.1:", *port)},
                      {"api_key", options.api_key},
                      {"clock", clock.to_text()},
                      {"pid", ::getpid()},
                      {"machines", machines}};
  if (options.print_ready) std::cout << dump(ready) << std::endl;
  wait_for_the_end(signals, stdin_is_leash);

  server.stop();
  events.request_stop();
  events.join();
  room.reset();  // ends every machine
  return 0;
}

}  // namespace vastgpu
