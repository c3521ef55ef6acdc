// What a person types to reach a machine, and the ports of it that open here: against real machines, with the
// real ssh, scp and rsync.

#include <httplib.h>

#include <csignal>

#include "core/files.h"
#include "core/text.h"
#include "fleet/tunnels.h"
#include "sandbox/machine.h"
#include "server/child.h"
#include "tests/support/catch.h"
#include "tests/support/needs_machines.h"
#include "tests/support/real_sshd.h"
#include "tests/support/rental_stage.h"

using namespace vastgpu;
using namespace std::chrono_literals;

namespace {

bool mentions(const std::string& text, const std::string& word) {
  return text.find(word) != std::string::npos;
}

std::string environment_of(const RentalStage& stage) {
  std::string words = "env -u SSH_AUTH_SOCK ";
  for (const auto& [name, value] : stage.environment())
    if (!value.empty()) words += name + "=" + shell_quote(value) + " ";
  return words;
}

/// A page by its URL, as soon as somebody answers there.
std::string page(const std::string& url, const std::string& path) {
  httplib::Client client(url);
  client.set_read_timeout(10s);
  for (const auto until = std::chrono::steady_clock::now() + 20s; std::chrono::steady_clock::now() < until;) {
    if (const auto got = client.Get(path); got && got->status == 200) return got->body;
    std::this_thread::sleep_for(50ms);
  }
  return "";
}

}  // namespace

SCENARIO("ssh, scp and rsync lines work as they are printed, under the pinned key and no other") {
  NEEDS_MACHINES();
  RentalStage stage(VASTGPU_BINARY, {.speed = 60});
  const auto rented = stage.rent();
  if (!rented) FAIL(rented.error().what);
  const auto id = rented->facts["instance_id"].get<std::int64_t>();
  const json lines = rented->facts["type_this"];
  CAPTURE(dump(lines));
  const std::string ssh = lines["ssh"];
  CHECK(mentions(ssh, " -o IdentitiesOnly=yes "));
  CHECK(output_of(
            ssh +
            " 'mkdir -p /workspace/project/results && echo 42 >/workspace/project/results/m.txt; id -un'") ==
        "root\n");
  const std::string in_project = "cd " + shell_quote(stage.project().string()) + " && mkdir -p results && ";
  CHECK(output_of(in_project + lines["scp"].get<std::string>() +
                  " && cat results/m.txt && rm results/m.txt") == "42\n");
  if (!output_of("command -v rsync").empty())
    CHECK(output_of(in_project + lines["rsync"].get<std::string>() + " && cat results/m.txt") == "42\n");
  const std::string program = environment_of(stage) + VASTGPU_BINARY;
  CHECK(output_of(program + text(" ssh ", id, " echo -n here")) == "here");
  CHECK(output_of(program + text(" ssh ", id, " ls -d /workspace")) == "/workspace\n");
  CHECK(output_of(program + text(" ssh ", id, " false || echo no")) == "no\n");
  CHECK(stage.call("monitor", {{"instance_id", id}})->facts["type_this"] == lines);
  CHECK(stage.call("list", json::object())->facts["instances"][0]["type_this"] == lines);

  // Another key under that name: ssh refuses. Asked again, the pinned one is back.
  const std::string label = rented->facts["label"];
  const auto file = stage.folder().path() / "state/known_hosts" / label;
  const std::string pinned = *read_file(file, 4096);
  stage.folder().write(
      "state/known_hosts/" + label,
      label + " ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n");
  CHECK(output_of(ssh + " echo in 2>/dev/null").empty());
  CHECK(output_of(program + text(" ssh ", id, " echo in")) == "in\n");
  CHECK(*read_file(file, 4096) == pinned);

  REQUIRE(stage.call_until("destroy", {{"instance_id", id}, {"wait_seconds", 600}}, "destroying"));
  CHECK(output_of(program + text(" ssh ", id, " true 2>&1 || true")).find("destroyed") != std::string::npos);
}

SCENARIO("ports of a machine open here, by run, by monitor and by the program, and close with the rental") {
  NEEDS_MACHINES();
  RentalStage stage(VASTGPU_BINARY, {.speed = 60});
  const auto rented = stage.rent();
  if (!rented) FAIL(rented.error().what);
  const auto id = rented->facts["instance_id"].get<std::int64_t>();
  // Another number here than there: machines of the sandbox share our loopback.
  const std::string site = std::to_string(20'000 + id % 10'000),
                    wish = site + ":" + std::to_string(31'000 + id % 1000);
  const auto started = stage.call("run", {{"instance_id", id},
                                          {"experiment", "board"},
                                          {"command",
                                           "mkdir -p site && cd site && echo loss 0.5 >loss.txt && exec "
                                           "python3 -m http.server --bind 127.0.0.1 " +
                                               site},
                                          {"ports", {wish, "tensorboard"}}});
  if (!started) FAIL(started.error().what);
  CAPTURE(started->details, dump(started->facts));
  REQUIRE(started->facts["ports"].size() == 2);
  CHECK(started->facts["ports"][1]["port"] == 6006);
  const std::string url = started->facts["ports"][0]["url"];
  CHECK(mentions(started->details, url));
  CHECK(page(url, "/loss.txt") == "loss 0.5\n");
  const auto look = stage.call("monitor", {{"instance_id", id}, {"ports", {wish}}});
  REQUIRE(look);
  CHECK(look->facts["ports"][0]["url"] == url);  // the same one
  const auto wrong = stage.call("monitor", {{"instance_id", id}, {"ports", {"70000"}}});
  REQUIRE_FALSE(wrong);
  CHECK(mentions(wrong.error().next_step, "tensorboard"));

  const std::string call = environment_of(stage) + VASTGPU_BINARY + " call monitor ";
  CHECK(mentions(
      output_of(call + shell_quote(dump(json{{"instance_id", id}, {"ports", {wish}}})) + " 2>&1; true"),
      "use vast-gpu tunnel"));

  auto child = Child::start({VASTGPU_BINARY, "tunnel", std::to_string(id), wish}, stage.environment(),
                            (stage.folder().path() / "tunnel.log").string());
  REQUIRE(child);
  const std::string line = child->read_line(20s).value_or("");
  REQUIRE(mentions(line, "is port " + site + " of the machine"));
  CHECK(page(line.substr(0, line.find(' ')), "/loss.txt") == "loss 0.5\n");

  const std::string label = rented->facts["label"];
  REQUIRE(stage.call_until("destroy", {{"instance_id", id}, {"discard_results", true}, {"wait_seconds", 600}},
                           "destroying"));
  const int code = child->finish(15s);
  CAPTURE(read_file(stage.folder().path() / "tunnel.log", 1 << 16).value_or(""));
  CHECK(code == 1);  // by itself: it says that the rental ended it
  for (const auto until = std::chrono::steady_clock::now() + 10s; std::chrono::steady_clock::now() < until;) {
    if (stage.house().tunnels().view(label)->state == Tunnel::State::ended) break;
    std::this_thread::sleep_for(20ms);
  }
  CHECK(stage.house().tunnels().view(label)->state == Tunnel::State::ended);
  CHECK_FALSE(httplib::Client(url).Get("/loss.txt"));
}

TEST_CASE("Scenario: ports by number and by name") {
  CHECK(parse_port("6006")->remote == 6006);
  CHECK(parse_port("6006")->local == 0);
  CHECK(parse_port(" 6006:7007 ")->local == 7007);
  CHECK(parse_port("TensorBoard")->remote == 6006);
  CHECK(parse_port("jupyter:9999")->remote == 8888);
  CHECK(parse_port("comfyui")->remote == 8188);
  for (const std::string odd : {"", "0", "65536", "6006:", ":1", "6006:x", "ssh", "1.5", "-1", "6006:7007:1"})
    CHECK_FALSE(parse_port(odd));
}
