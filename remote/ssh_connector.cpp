#include "remote/ssh_connector.h"

#include "core/log.h"
#include "core/text.h"
#include "remote/ssh_login.h"
#include "remote/ssh_shell.h"
#include "remote/tcp.h"

namespace vastgpu {
namespace {

int how_telling(Code code) { return code == Code::corrupt ? 2 : code == Code::unauthenticated ? 1 : 0; }

KeyPlaces places(const SshOptions& o) {
  return {.ssh_folder = o.ssh_folder,
          .own_folder = o.state_folder / "ssh",
          .agent_socket = o.agent_socket,
          .explicit_key = o.key_file};
}

}  // namespace

SshConnector::SshConnector(SshOptions options)
    : options_(std::move(options)),
      resolver_(std::make_unique<Resolver>()),
      pool_(std::make_shared<SessionPool>(options_.pool)) {}
SshConnector::~SshConnector() = default;

Result<std::unique_ptr<SshSession>> SshConnector::open(const Endpoint& at,
                                                       const std::optional<std::string>& pin,
                                                       Patience& patience) {
  auto socket = connect_tcp(at, *resolver_, patience);
  if (!socket) return fail(std::move(socket).error());
  auto session = SshSession::open(*std::move(socket), patience);
  if (!session) return fail(std::move(session).error());
  // Before the login: a stranger in the middle learns nothing, not even which keys we have.
  const std::string& shown = (*session)->fingerprint();
  if (pin && *pin != shown)
    return fail({.code = Code::corrupt,
                 .what = text("the host key is ", shown, ", but ", *pin,
                              " was pinned: this is another machine, or somebody in between"),
                 .next_step = "do not send anything there: destroy the instance and rent another"});
  if (auto entered = log_in(**session, options_.user, places(options_), patience); !entered)
    return fail(std::move(entered).error());
  (*session)->open_ahead();  // the caller has things to prepare meanwhile
  log_debug("ssh connected host=", at.host, " port=", at.port, " key=", shown);
  return session;
}

HeldSession SshConnector::hold(const Endpoint& at, std::unique_ptr<SshSession> session) const {
  return HeldSession(std::move(session), [pool = pool_, at](std::unique_ptr<SshSession> back) {
    pool->put(at, std::move(back));
  });
}

Result<HeldSession> SshConnector::lend(const Endpoint& at, const std::string& fingerprint,
                                       Patience& patience) {
  if (auto open_one = pool_->take(at, fingerprint)) return hold(at, std::move(open_one));
  return open(at, fingerprint, patience).map([&](auto made) { return hold(at, std::move(made)); });
}

/// Further sessions must lead to the very machine that answered first.
Connection SshConnector::connection(const Endpoint& at, std::unique_ptr<SshSession> session) {
  const std::string shown = session->fingerprint();
  SshLink link(hold(at, std::move(session)),
               [this, at, shown](Patience& patience) { return lend(at, shown, patience); });
  return {std::make_unique<SshShell>(std::move(link), shown), at};
}

Result<Connection> SshConnector::connect(const SshTarget& target, std::stop_token stop) {
  Error worst{
      .code = Code::invalid_argument, .what = "no address to connect to", .next_step = "wait for one"};
  const auto deadline = std::chrono::steady_clock::now() + target.limit;
  if (target.pinned_host_key)
    for (const Endpoint& at : target.candidates)
      if (auto open_one = pool_->take(at, *target.pinned_host_key))
        return connection(at, std::move(open_one));
  for (std::size_t i = 0; i < target.candidates.size(); ++i) {
    const Endpoint& at = target.candidates[i];
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    Patience patience(left / static_cast<std::int64_t>(target.candidates.size() - i), stop);
    auto session = open(at, target.pinned_host_key, patience);
    if (session) return connection(at, *std::move(session));
    Error why = std::move(session).error().during(text(at.host, ":", at.port));
    if (why.code == Code::cancelled) return fail(std::move(why));
    if (i == 0 || how_telling(why.code) > how_telling(worst.code)) worst = std::move(why);
  }
  return fail(std::move(worst));
}

Result<std::string> SshConnector::public_key() {
  Patience patience(std::chrono::seconds(10), {});
  auto key = key_to_attach(places(options_), patience);
  if (!key) return fail(std::move(key).error());
  return key->line();
}

}  // namespace vastgpu
