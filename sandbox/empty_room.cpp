#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "core/fd.h"
#include "sandbox/room.h"

namespace vastgpu::sandbox {
namespace {

class EmptyRoom : public Room {
 public:
  EmptyRoom() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    // Bound and never listening: connections are refused, and no other program can take the port meanwhile.
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    if (::bind(socket_.get(), reinterpret_cast<sockaddr*>(&at), sizeof at) == 0 &&
        ::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&at), &size) == 0)
      port_ = ntohs(at.sin_port);
  }

  void prepare(MachineSpec, SshMood) override {}
  void start(std::int64_t) override {}
  void open_ssh(std::int64_t) override {}
  void stop(std::int64_t) override {}
  void set_keys(std::int64_t, std::vector<std::string>) override {}
  void set_clock_skew(std::int64_t, double) override {}
  void move_ssh(std::int64_t, std::uint16_t) override {}
  void remove(std::int64_t) override {}
  std::uint16_t relay_port(std::int64_t) const override { return port_; }
  std::string log(std::int64_t) const override { return "this sandbox runs without machines\n"; }
  std::uint64_t disk_used(std::int64_t) const override { return 0; }
  std::string trouble(std::int64_t) const override { return ""; }
  std::vector<std::int64_t> running() const override { return {}; }

 private:
  Fd socket_;
  std::uint16_t port_ = 0;
};

}  // namespace

std::unique_ptr<Room> make_empty_room() { return std::make_unique<EmptyRoom>(); }

}  // namespace vastgpu::sandbox
