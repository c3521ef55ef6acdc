#include "remote/ssh_agent.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

#include "remote/ssh_private_key.h"
#include "remote/ssh_wire.h"

// @source draft-miller-ssh-agent, sections 3.5 (identities) and 3.6 (signing)
namespace vastgpu {
namespace {

enum : std::uint8_t {
  kRequestIdentities = 11,
  kIdentitiesAnswer = 12,
  kSignRequest = 13,
  kSignResponse = 14
};
constexpr std::uint32_t kRsaSha256 = 2, kRsaSha512 = 4;
constexpr std::uint32_t kLargestAnswer = 256 * 1024;  // what OpenSSH's agent itself allows

Error silent(const std::string& why) {
  return {.code = Code::unavailable,
          .what = "the SSH agent does not answer: " + why,
          .next_step = "restart ssh-agent or unset SSH_AUTH_SOCK"};
}
Error senseless() {
  return {.code = Code::corrupt,
          .what = "the SSH agent answers nonsense",
          .next_step = "restart ssh-agent or unset SSH_AUTH_SOCK"};
}

/// The algorithm that a login request names, as the agent's flags.
std::uint32_t rsa_flags(std::string_view request) {
  const auto algorithm = login_algorithm(request);
  return algorithm == "rsa-sha2-512" ? kRsaSha512 : algorithm == "rsa-sha2-256" ? kRsaSha256 : 0;
}

}  // namespace

Result<SshAgent> SshAgent::open(const std::string& socket, Patience& patience) {
  const Error none{.code = Code::not_found,
                   .what = "no SSH agent is running",
                   .next_step = "start one with: eval $(ssh-agent)"};
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  if (socket.empty() || socket.size() >= sizeof name.sun_path) return fail(none);
  std::memcpy(name.sun_path, socket.c_str(), socket.size());
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return fail(none);
  // A Unix socket connects at once or, with a full queue, says EAGAIN; then the agent is stuck.
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0) return fail(none);
  if (auto fine = patience.check(); !fine) return fail(std::move(fine).error());
  return SshAgent(std::move(fd));
}

Result<std::string> SshAgent::ask(std::string_view request, Patience& patience) {
  std::string message;
  put_string(message, request);
  std::string_view rest = message;
  while (!rest.empty()) {
    const ssize_t n = ::send(socket_.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
    if (n > 0) {
      rest.remove_prefix(static_cast<std::size_t>(n));
    } else if (errno == EAGAIN) {
      if (auto ready = patience.wait(socket_.get(), POLLOUT); !ready) return fail(std::move(ready).error());
    } else if (errno != EINTR) {
      return fail(silent(std::strerror(errno)));
    }
  }
  std::string answer;
  for (;;) {
    if (answer.size() >= 4) {
      const std::uint32_t size = *WireReader(answer).u32();
      if (size > kLargestAnswer || answer.size() > size + 4) return fail(senseless());
      if (answer.size() == size + 4) return answer.substr(4);
    }
    char buffer[4096];
    const ssize_t n = ::recv(socket_.get(), buffer, sizeof buffer, 0);
    if (n > 0) {
      answer.append(buffer, static_cast<std::size_t>(n));
    } else if (n == 0) {
      return fail(silent("it closed the connection"));
    } else if (errno == EAGAIN) {
      if (auto ready = patience.wait(socket_.get(), POLLIN); !ready) return fail(std::move(ready).error());
    } else if (errno != EINTR) {
      return fail(silent(std::strerror(errno)));
    }
  }
}

Result<std::vector<AgentKey>> SshAgent::keys(Patience& patience) {
  auto answer = ask(std::string(1, static_cast<char>(kRequestIdentities)), patience);
  if (!answer) return fail(std::move(answer).error());
  WireReader r(*answer);
  if (r.byte() != kIdentitiesAnswer) return fail(senseless());
  const auto count = r.u32();
  if (!count) return fail(senseless());
  std::vector<AgentKey> keys;
  for (std::uint32_t i = 0; i < *count; ++i) {
    const auto blob = r.string();
    const auto comment = r.string();
    if (!blob || !comment) return fail(senseless());
    keys.push_back({std::string(*blob), std::string(*comment)});
  }
  return keys;
}

Result<std::string> SshAgent::sign(std::string_view blob, std::string_view data, Patience& patience) {
  std::string request(1, static_cast<char>(kSignRequest));
  put_string(request, blob);
  put_string(request, data);
  put_u32(request, rsa_flags(data));
  auto answer = ask(request, patience);
  if (!answer) return fail(std::move(answer).error());
  WireReader r(*answer);
  if (r.byte() != kSignResponse)
    return fail({.code = Code::unauthenticated,
                 .what = "the SSH agent refused to sign",
                 .next_step = "unlock the agent or confirm its question, then try again"});
  const auto signature = r.string();
  if (!signature) return fail(senseless());
  WireReader inner(*signature);
  const auto algorithm = inner.string();
  const auto bare = inner.string();
  if (!algorithm || !bare) return fail(senseless());
  return std::string(*bare);
}

}  // namespace vastgpu
