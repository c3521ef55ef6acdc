// The transport: where the key may go, whom we trust, how much we swallow, how fast we stop.
#include "market/http.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include <fstream>
#include <iomanip>
#include <thread>

#include "core/fd.h"
#include "market/url.h"
#include "tests/support/catch.h"
#include "tests/support/market_fixture.h"
#include "tests/support/temp_folder.h"

using namespace vastgpu;
using namespace std::chrono_literals;

TEST_CASE("the key goes over https, or stays on this machine") {
  for (const char* fine : {"https://console.vast.ai", "https://console.vast.ai/", "http://127.0.0.1:8080",
                           "http://127.1.2.3/prefix/", "http://localhost:1", "http://[::1]:9"}) {
    CAPTURE(fine);
    const auto base = parse_base_url(fine);
    REQUIRE(base);
    CHECK((base->path.empty() || base->path == "/prefix"));
  }
  for (const char* refused : {"http://console.vast.ai",
                              "http://192.168.1.2",
                              "http://127.0.0.1.evil.com",
                              "http://localhost.evil.com",
                              "http://127.0.0.1@evil.com",
                              "https://user:x@console.vast.ai",
                              "ftp://127.0.0.1",
                              "console.vast.ai",
                              "",
                              "https://",
                              "https://host:0",
                              "https://host:70000",
                              "https://host:8x",
                              "https://ho st",
                              "https://h/\r\nX: y",
                              "http://0.0.0.0",
                              "http://2130706433",
                              "https://h/?q",
                              "http://[::1",
                              "https://h#x"}) {
    CAPTURE(refused);
    const auto base = parse_base_url(refused);
    CHECK_FALSE(base);
  }
}

TEST_CASE("an address that cannot be used is named by the first call, and nothing is sent") {
  FakeClock clock;
  VastMarket market({.base_url = "http://example.com", .api_key = Secret("k")}, clock);
  const auto got = market.account({});
  REQUIRE_FALSE(got);
  CHECK(got.error().code == Code::invalid_argument);
  CHECK(got.error().what.find("http://example.com") != std::string::npos);
}

TEST_CASE("without a key every call says where one goes, and sends nothing") {
  ScriptedHttp server;
  FakeClock clock;
  VastMarket market({.base_url = server.url()}, clock);
  const auto got = market.instances({});
  REQUIRE_FALSE(got);
  CHECK(got.error().code == Code::unauthenticated);
  CHECK(got.error().next_step.find("VAST_API_KEY") != std::string::npos);
  CHECK(got.error().next_step.find("~/.config/vastai/vast_api_key") != std::string::npos);
  CHECK(server.seen().empty());
}

TEST_CASE("a key that would end the header line is not sent") {
  ScriptedHttp server;
  FakeClock clock;
  VastMarket market({.base_url = server.url(), .api_key = Secret("abc\r\nX-Evil: 1")}, clock);
  CHECK(market.account({}).error().code == Code::unauthenticated);
  CHECK(server.seen().empty());
}

TEST_CASE("a redirect to another server is not followed, so the key stays here") {
  ScriptedHttp other;
  ScriptedMarket m;
  const std::string elsewhere = other.url() + "/api/v0/users/current/";
  const auto location = GENERATE_COPY(
      values<std::string>({elsewhere, "//evil.example/x", "https://evil.example/", "relative", ""}));
  CAPTURE(location);
  m.server.answer("GET", "/api/v0/users/current/",
                  {{.status = 308, .body = "", .headers = {{"Location", location}}}});
  const auto got = m.market.account({});
  REQUIRE_FALSE(got);
  CHECK(got.error().code == Code::wrong_state);
  CHECK(other.seen().empty());
  CHECK(m.server.seen().size() == 1);
}

TEST_CASE("a redirect on the same server is followed, with method and body, but not in circles") {
  ScriptedMarket m;
  m.server.answer("PUT", "/api/v0/instances/7/",
                  {{.status = 307, .headers = {{"Location", "/api/v9/instances/7/"}}}});
  m.server.answer("PUT", "/api/v9/instances/7/", {{.body = R"({"success":true})"}});
  REQUIRE(m.market.stop_instance({7}, {}));
  const auto seen = m.server.seen();
  REQUIRE(seen.size() == 2);
  CHECK(seen[1].body == R"({"state":"stopped"})");
  CHECK_FALSE(seen[1].header("authorization").empty());

  m.server.answer("PUT", "/api/v9/instances/7/",
                  {{.status = 308, .headers = {{"Location", "/api/v0/instances/7/"}}}});
  const auto circle = m.market.stop_instance({7}, {});
  REQUIRE_FALSE(circle);
  CHECK(circle.error().effect == Effect::unknown);
}

TEST_CASE("an answer that is too large is refused, not swallowed") {
  ScriptedMarket m;
  m.server.answer("GET", "/api/v0/users/current/",
                  {{.body = std::string(9'000'000, ' ') + R"({"credit":1})"}});
  const auto got = m.market.account({});
  REQUIRE_FALSE(got);
  CHECK(got.error().code == Code::corrupt);
  CHECK(m.server.seen().size() == 1);
}

TEST_CASE("a certificate that nobody vouches for is refused before the key is sent") {
  const TestCertificate certificate;
  const TempFolder folder;
  ScriptedHttp server(&certificate);
  server.answer("GET", "/api/v0/users/current/", {{.body = R"({"id":1,"credit":5})"}});
  FakeClock clock;
  {
    VastMarket careful({.base_url = server.url(), .api_key = Secret("k")}, clock);
    const auto got = careful.account({});
    REQUIRE_FALSE(got);
    CHECK(got.error().code == Code::wrong_state);
    CHECK(got.error().what.find("certificate") != std::string::npos);
    CHECK(server.seen().empty());
  }
  {
    const auto file = folder.write("ca.pem", certificate.pem());
    VastMarket told({.base_url = server.url(), .api_key = Secret("k"), .ca_file = file.string()}, clock);
    REQUIRE(told.account({}));
    REQUIRE(told.account({}));
    CHECK(server.connections() == 1);
  }
  {
    const TestCertificate another;
    const auto file = folder.write("other.pem", another.pem());
    VastMarket misled({.base_url = server.url(), .api_key = Secret("k"), .ca_file = file.string()}, clock);
    CHECK(misled.account({}).error().code == Code::wrong_state);
  }
}

TEST_CASE("stop ends a request that hangs, at once") {
  ScriptedMarket m;
  m.server.answer("GET", "/api/v0/users/current/", {{.hang = true}});
  m.server.answer("DELETE", "/api/v0/instances/7/", {{.hang = true}});
  std::stop_source source;
  Result<Account> got = fail({});
  Result<void> destroyed;
  const auto began = std::chrono::steady_clock::now();
  {
    std::jthread reads([&] { got = m.market.account(source.get_token()); });
    std::jthread destroys([&] { destroyed = m.market.destroy({7}, source.get_token()); });
    REQUIRE(m.server.wait_for(2));
    source.request_stop();
  }
  CHECK(std::chrono::steady_clock::now() - began < 3s);
  REQUIRE_FALSE(got);
  CHECK(got.error().code == Code::cancelled);
  CHECK(got.error().effect == Effect::none);
  REQUIRE_FALSE(destroyed);
  CHECK(destroyed.error().code == Code::cancelled);
  CHECK(destroyed.error().effect == Effect::unknown);  // it had been sent
}

namespace {

/// A port on loopback that takes a few connections into its queue and never says a word.
struct SilentPort {
  explicit SilentPort(int backlog) : socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    REQUIRE(::bind(socket.get(), reinterpret_cast<sockaddr*>(&at), size) == 0);
    REQUIRE(::listen(socket.get(), backlog) == 0);
    REQUIRE(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&at), &size) == 0);
    port = ntohs(at.sin_port);
  }
  /// True once somebody's connection to this port is in `state` ("02" SYN sent, "01" established).
  bool wait_for_state(const std::string& state) const {
    std::ostringstream hex;
    hex << ":" << std::uppercase << std::hex << std::setw(4) << std::setfill('0') << port << " " << state
        << " ";
    for (const auto until = std::chrono::steady_clock::now() + 5s;
         std::chrono::steady_clock::now() < until;) {
      std::ifstream table("/proc/net/tcp");
      for (std::string line; std::getline(table, line);)
        if (line.find(hex.str()) != std::string::npos) return true;
      std::this_thread::yield();
    }
    return false;
  }
  Fd socket;
  int port = 0;
};

}  // namespace

TEST_CASE("stop ends a connection that never comes about, and one whose TLS never begins") {
  const bool tls = GENERATE(false, true);
  SilentPort silent(tls ? 5 : 0);
  std::vector<Fd> fillers;  // with a full queue the next SYN gets no answer
  for (int i = 0; !tls && i < 2; ++i) {
    fillers.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    at.sin_port = htons(static_cast<std::uint16_t>(silent.port));
    ::connect(fillers.back().get(), reinterpret_cast<sockaddr*>(&at), sizeof at);
  }
  if (!tls) fillers.pop_back();  // its own SYN would be mistaken for ours
  FakeClock clock;
  VastMarket market(
      {.base_url = (tls ? "https://127.0.0.1:" : "http://127.0.0.1:") + std::to_string(silent.port),
       .api_key = Secret("k")},
      clock);
  std::stop_source source;
  Result<void> got;
  const auto began = std::chrono::steady_clock::now();
  {
    std::jthread call([&] { got = market.destroy({7}, source.get_token()); });
    CHECK(silent.wait_for_state(tls ? "01" : "02"));
    source.request_stop();
  }
  CHECK(std::chrono::steady_clock::now() - began < 3s);
  REQUIRE_FALSE(got);
  CHECK(got.error().code == Code::cancelled);
  CHECK(got.error().effect == Effect::none);  // nothing had been sent
}

TEST_CASE("a name that nobody knows is told as that") {
  FakeClock clock;
  VastMarket market({.base_url = "https://no-such-host.invalid", .api_key = Secret("k")}, clock);
  const auto got = market.account({});
  REQUIRE_FALSE(got);
  CHECK(got.error().code == Code::unavailable);
  CHECK(got.error().what.find("no-such-host.invalid") != std::string::npos);
}

TEST_CASE("calls run side by side") {
  ScriptedMarket m;
  m.server.answer("GET", "/api/v0/users/current/", {{.body = R"({"credit":5})"}});
  std::atomic<int> good = 0;
  {
    std::vector<std::jthread> calls;
    for (int i = 0; i < 6; ++i)
      calls.emplace_back([&] {
        for (int k = 0; k < 5; ++k) good += m.market.account({}).has_value();
      });
  }
  CHECK(good == 30);
  CHECK(m.server.connections() <= 12);  // six, were it not for the idle limit of a slow test machine
}

TEST_CASE("a connection that the server closed meanwhile costs a read nothing") {
  ScriptedMarket m;
  m.server.answer(
      "GET", "/api/v0/users/current/",
      {{.body = R"({"credit":5})", .headers = {{"Connection", "close"}}}, {.body = R"({"credit":6})"}});
  CHECK(m.market.account({})->credit == Usd{5});
  CHECK(m.market.account({})->credit == Usd{6});
  CHECK(m.clock.slept() == 0s);
}

TEST_CASE("queries are encoded") {
  CHECK(with_query("/p", {{"a", R"([{"x": "é&="}])"}, {"b", "1"}}) ==
        "/p?a=%5B%7B%22x%22%3A%20%22%C3%A9%26%3D%22%7D%5D&b=1");
}
