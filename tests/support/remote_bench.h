#pragma once
// What the tests of remote/ share: one server, a key that it accepts, and folders on both "sides".

#include "remote/ssh_connector.h"
#include "tests/support/catch.h"
#include "tests/support/cut_relay.h"
#include "tests/support/real_sshd.h"
#include "tests/support/temp_folder.h"

namespace vastgpu {

/// One server for the whole program; starting one takes longer than most tests.
inline RealSshd& shared_sshd() {
  static RealSshd server;
  return server;
}

/// A home without keys, a connector that makes its own, and a machine that accepts it.
struct RemoteBench {
  explicit RemoteBench(RealSshd& at = shared_sshd()) : server(at), connector(options()) {
    const auto key = connector.public_key();
    REQUIRE(key);
    server.authorize(*key);
  }

  SshOptions options() const {
    return {.ssh_folder = home.path() / "ssh", .state_folder = home.path() / "state", .user = server.user()};
  }
  std::unique_ptr<Shell> connect() { return connect_to(server.endpoint()); }
  std::unique_ptr<Shell> connect_to(const Endpoint& at) {
    auto made = connector.connect({.candidates = {at}, .pinned_host_key = {}}, {});
    if (!made) FAIL(made.error().what);
    return std::move(made->shell);
  }

  RealSshd& server;
  TempFolder home;     ///< of the user
  TempFolder machine;  ///< a folder on the machine
  SshConnector connector;
};

}  // namespace vastgpu

#define NEEDS_SSHD()                                   \
  if (const auto reason = vastgpu::no_sshd_reason()) { \
    WARN("skipped: " << *reason);                      \
    return;                                            \
  }
