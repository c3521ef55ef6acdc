// Logging in to a real sshd: keys, host keys, and everything that can be in the way.
#include <arpa/inet.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "core/files.h"
#include "core/text.h"
#include "remote/ssh_login.h"
#include "remote/ssh_private_key.h"
#include "tests/support/remote_bench.h"

using namespace vastgpu;
using namespace std::chrono_literals;

TEST_CASE("a key that we made logs in, and the host key reads as ssh-keygen prints it") {
  NEEDS_SSHD();
  RemoteBench b;
  auto shell = b.connect();
  CHECK(shell->host_key_fingerprint() == b.server.fingerprint());
  const auto said = shell->exec("echo hello", {}, {});
  REQUIRE(said);
  CHECK(said->out == "hello\n");

  const auto key = b.home.path() / "state/ssh/id_ed25519";
  struct stat info {};
  REQUIRE(::stat(key.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  REQUIRE(::stat(key.parent_path().c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0700);
  AND_THEN("OpenSSH reads it and finds the same public key, which does not change") {
    const std::string seen = output_of("ssh-keygen -y -f " + key.string());
    const std::string line = *b.connector.public_key();
    CHECK(seen.substr(0, 68) == line.substr(0, 68));
    CHECK(SshConnector(b.options()).public_key() == line);
  }
}

TEST_CASE("a machine that does not know our key is unauthenticated, with what to do") {
  NEEDS_SSHD();
  RealSshd stranger;
  RemoteBench b;
  const auto made = b.connector.connect({.candidates = {stranger.endpoint()}, .pinned_host_key = {}}, {});
  REQUIRE_FALSE(made);
  CHECK(made.error().code == Code::unauthenticated);
  CHECK(made.error().next_step.find("attach the public key") != std::string::npos);
  THEN("a second candidate that knows it lets us in") {
    const auto second = b.connector.connect(
        {.candidates = {stranger.endpoint(), b.server.endpoint()}, .pinned_host_key = {}}, {});
    REQUIRE(second);
    CHECK(second->endpoint == b.server.endpoint());
  }
}

TEST_CASE("nobody listening, a silent server and a wrong one are all unavailable, in time") {
  NEEDS_SSHD();
  RemoteBench b;
  std::uint16_t gone = 0;
  { gone = CutRelay(b.server.endpoint()).endpoint().port; }
  const auto refused = b.connector.connect({.candidates = {{"127.0.0.1", gone}}, .pinned_host_key = {}}, {});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::unavailable);

  CutRelay mute({"127.0.0.1", gone});  // accepts, then finds nobody behind: closes at once
  const auto closed = b.connector.connect({.candidates = {mute.endpoint()}, .pinned_host_key = {}}, {});
  REQUIRE_FALSE(closed);
  CHECK(closed.error().code == Code::unavailable);

  const Fd silent(::socket(AF_INET, SOCK_STREAM, 0));  // its kernel accepts, nobody ever speaks
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  REQUIRE(::bind(silent.get(), reinterpret_cast<sockaddr*>(&at), sizeof at) == 0);
  ::listen(silent.get(), 4);
  ::getsockname(silent.get(), reinterpret_cast<sockaddr*>(&at), &size);
  const Endpoint quiet{"127.0.0.1", ntohs(at.sin_port)};
  const auto began = std::chrono::steady_clock::now();
  const auto waited = b.connector.connect({.candidates = {quiet}, .pinned_host_key = {}, .limit = 300ms}, {});
  REQUIRE_FALSE(waited);
  CHECK(waited.error().code == Code::unavailable);
  CHECK(std::chrono::steady_clock::now() - began < 3s);

  AND_THEN("a silent first candidate leaves time for the second") {
    const auto second = b.connector.connect(
        {.candidates = {quiet, b.server.endpoint()}, .pinned_host_key = {}, .limit = 3s}, {});
    CHECK(second);
  }
  AND_THEN("a stop ends the wait at once") {
    std::stop_source source;
    std::jthread soon([&] { source.request_stop(); });
    const auto stopped =
        b.connector.connect({.candidates = {quiet}, .pinned_host_key = {}, .limit = 60s}, source.get_token());
    REQUIRE_FALSE(stopped);
    CHECK(stopped.error().code == Code::cancelled);
  }
  AND_THEN("a name that does not exist is unavailable too") {
    const auto unknown = b.connector.connect(
        {.candidates = {{"no-such-host.invalid", 22}}, .pinned_host_key = {}, .limit = 5s}, {});
    REQUIRE_FALSE(unknown);
    CHECK(unknown.error().code == Code::unavailable);
  }
}

TEST_CASE("a pinned host key is compared before anything is sent") {
  NEEDS_SSHD();
  RemoteBench b;
  CHECK(b.connector.connect({.candidates = {b.server.endpoint()}, .pinned_host_key = b.server.fingerprint()},
                            {}));
  const std::string other = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
  const auto made = b.connector.connect({.candidates = {b.server.endpoint()}, .pinned_host_key = other}, {});
  REQUIRE_FALSE(made);
  CHECK(made.error().code == Code::corrupt);
  CHECK(made.error().what.find(other) != std::string::npos);
  CHECK(made.error().what.find(b.server.fingerprint()) != std::string::npos);
}

TEST_CASE("the user's own key is preferred where it can be used without asking") {
  NEEDS_SSHD();
  TempFolder home;
  const auto ssh = home.path() / "ssh";
  std::filesystem::create_directories(ssh);
  const auto make = [&](const std::string& kind, const std::string& passphrase, const std::string& file) {
    return output_of("ssh-keygen -q -t " + kind + " -N '" + passphrase + "' -C me@home -f " +
                     (ssh / file).string() + " && cat " + (ssh / file).string() + ".pub");
  };
  const auto connector = [&](std::string agent = "") {
    return SshConnector({.ssh_folder = ssh,
                         .state_folder = home.path() / "state",
                         .agent_socket = std::move(agent),
                         .user = shared_sshd().user()});
  };
  const auto target = SshTarget{.candidates = {shared_sshd().endpoint()}, .pinned_host_key = {}};

  // Every format in which ssh-keygen writes them: OpenSSH's own, SEC 1 or PKCS#1, PKCS#8.
  for (const std::string kind :
       {"ed25519", "ecdsa", "ecdsa -b 384", "ecdsa -b 521", "ecdsa -m PEM", "ecdsa -b 384 -m PKCS8",
        "rsa -b 2048", "rsa -b 3072 -m PEM", "rsa -b 2048 -m PKCS8"}) {
    DYNAMIC_SECTION("an open " << kind << " key is attached as it is, and logs in") {
      const std::string file = "id_" + kind.substr(0, kind.find(' '));
      const std::string line = make(kind, "", file);
      CHECK(connector().public_key() == std::string(trim(line)));
      Patience patience(5s, {});
      CHECK(file_to_attach({.ssh_folder = ssh,
                            .own_folder = home.path() / "state/ssh",
                            .agent_socket = "",
                            .explicit_key = {}},
                           patience) == ssh / file);
      shared_sshd().authorize(line);
      const auto made = connector().connect(target, {});
      if (!made) FAIL(made.error().what);
      CHECK(made->shell->exec("true", {}, {})->exit_code == 0);
      // The public half is worked out from the private one where it does not lie beside it.
      const auto alone = home.write("alone", *read_file(ssh / file, 1 << 16));
      const auto key = read_key_file(alone);
      REQUIRE((key && key->pub && key->open));
      CHECK(line.starts_with(key->pub->line()));
    }
  }
  SECTION("one with a passphrase is not, and the refusal says why") {
    make("ed25519", "secret", "id_ed25519");
    CHECK(connector().public_key()->find("me@home") == std::string::npos);
    const auto made = connector().connect(target, {});
    REQUIRE_FALSE(made);
    CHECK(made.error().code == Code::unauthenticated);
    CHECK(made.error().what.find("ssh-add") != std::string::npos);
  }
  for (const std::string kind : {"ed25519", "rsa", "rsa -m PEM"})
    DYNAMIC_SECTION("in the agent it is, and the agent signs: " << kind) {
      const std::string file = "id_" + kind.substr(0, kind.find(' '));
      const std::string line = make(kind, "secret", file);
      const std::string socket = (home.path() / "agent").string();
      home.write("ask.sh", "#!/bin/sh\necho secret\n");
      ::chmod((home.path() / "ask.sh").c_str(), 0755);
      const std::string started = output_of("ssh-agent -s -a " + socket);
      const auto pid_at = started.find("SSH_AGENT_PID=");
      REQUIRE(pid_at != std::string::npos);
      output_of("SSH_AUTH_SOCK=" + socket + " SSH_ASKPASS=" + (home.path() / "ask.sh").string() +
                " SSH_ASKPASS_REQUIRE=force ssh-add -q " + (ssh / file).string() + " </dev/null && echo ok");
      CHECK(connector(socket).public_key() == std::string(trim(line)));
      shared_sshd().authorize(line);
      const auto made = connector(socket).connect(target, {});
      ::kill(std::stoi(started.substr(pid_at + 14)), SIGTERM);
      if (!made) FAIL(made.error().what);
      CHECK(made->shell->exec("true", {}, {})->exit_code == 0);
    }
  SECTION("a damaged one is not, and the refusal says so") {
    make("rsa", "", "id_rsa");
    const std::string whole = *read_file(ssh / "id_rsa", 1 << 16);
    home.write("ssh/id_rsa", whole.substr(0, 400) + whole.substr(404));
    CHECK(connector().public_key()->starts_with("ssh-ed25519"));
    const auto made = connector().connect(target, {});
    REQUIRE_FALSE(made);
    CHECK(made.error().code == Code::unauthenticated);
    CHECK(made.error().what.find("id_rsa") != std::string::npos);
  }
}
