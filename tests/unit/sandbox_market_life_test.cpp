#include <algorithm>

#include "tests/support/sandbox_bench.h"

using namespace vastgpu;
using namespace vastgpu::sandbox;

namespace {

std::size_t count(const std::vector<std::string>& calls, const std::string& what) {
  return static_cast<std::size_t>(std::ranges::count(calls, what));
}

}  // namespace

TEST_CASE("a machine comes up in the steps of the real API, each at its time") {
  Bench bench;
  const std::int64_t id = bench.rent();
  CHECK(bench.one(id).is_null());
  CHECK(bench.all().at("instances").empty());

  bench.pass(3);
  json row = bench.one(id);
  CHECK(row.at("actual_status").is_null());
  CHECK(row.at("intended_status") == "running");
  CHECK(row.at("ports").is_null());
  CHECK(row.at("direct_port_start") == -1);
  CHECK(row.at("public_ipaddr").get<std::string>().starts_with("127."));
  CHECK(bench.all().at("total_instances") == 1);

  bench.pass(2);
  row = bench.one(id);
  CHECK(row.at("actual_status") == "loading");
  CHECK(row.at("status_msg").get<std::string>().find("Pulling fs layer") != std::string::npos);

  double waited = 5;
  while (bench.one(id).at("actual_status") == "loading" && waited < 1000) {
    bench.pass(1);
    ++waited;
  }
  CHECK(waited > 100);
  CHECK(waited < 600);
  row = bench.one(id);
  CHECK(row.at("actual_status") == "running");
  CHECK(row.at("status_msg").get<std::string>().starts_with("success, running pytorch/pytorch_2.4.0"));
  CHECK(row.at("ports") == json::object());
  CHECK(count(bench.room.calls, "start") == 1);

  bench.pass(21);
  row = bench.one(id);
  const json& port = row.at("ports").at("22/tcp").at(0).at("HostPort");
  REQUIRE(port.is_string());
  CHECK(std::stoi(port.get<std::string>()) >= 40000);
  CHECK(count(bench.room.calls, "open_ssh") == 0);
  bench.pass(10);
  CHECK(count(bench.room.calls, "open_ssh") == 1);
  CHECK(row.at("ssh_host") == "127.0.0.1");
  CHECK(row.at("ssh_port") == 2222);
}

TEST_CASE("the machine gets what was sold and what was asked") {
  Bench bench;
  REQUIRE(bench.post("/api/v0/ssh/", {{"ssh_key", "ssh-ed25519 AAAA me"}}).status == 200);
  const std::int64_t id =
      bench.rent({{"onstart", "echo hi"}, {"env", {{"TZ", "UTC"}, {"-p 8080:8080", "1"}, {"-h", "box"}}}});
  const MachineSpec& spec = bench.room.specs.at(id);
  CHECK(spec.torch_version == "2.4.0");
  CHECK(spec.onstart == "echo hi");
  CHECK(spec.env.at("TZ") == "UTC");
  CHECK(spec.env.at("CONTAINER_ID") == std::to_string(id));
  CHECK(spec.env.at("CONTAINER_API_KEY") == bench.instance_key);
  CHECK(spec.env.at("VAST_CONTAINERLABEL") == "C." + std::to_string(id));
  CHECK(spec.env.at("VAST_TCP_PORT_22") == std::to_string(spec.ssh_port));
  CHECK_FALSE(spec.env.contains("-h"));
  CHECK(spec.authorized_keys == std::vector<std::string>{"ssh-ed25519 AAAA me"});
  CHECK(spec.listen_address.starts_with("127."));
  bench.pass(700);
  const json row = bench.one(id);
  CHECK(row.at("ports").contains("8080/tcp"));
  CHECK(row.at("extra_env").at(0).is_array());
  CHECK(row.at("image_runtype") == "ssh_direc ssh_proxy");
}

TEST_CASE("without a direct runtype only the relay leads in") {
  Bench bench;
  const std::int64_t id = bench.rent_and_boot({{"runtype", "ssh_proxy"}});
  CHECK_FALSE(bench.one(id).at("ports").contains("22/tcp"));
  CHECK(bench.one(id).at("ssh_port") == 2222);
}

TEST_CASE("stop ends as exited and frees the GPUs; start loads shortly and runs again") {
  Bench bench;
  const std::int64_t id = bench.rent_and_boot();
  REQUIRE(bench.put(Bench::path_of(id), {{"state", "stopped"}}).body == json{{"success", true}});
  CHECK(bench.one(id).at("intended_status") == "stopped");
  bench.pass(5);
  json row = bench.one(id);
  CHECK(row.at("actual_status") == "exited");
  CHECK(row.at("cur_state") == "stopped");
  CHECK(row.at("ports").is_null());

  REQUIRE(bench.put(Bench::path_of(id), {{"state", "running"}}).body == json{{"success", true}});
  CHECK(bench.one(id).at("actual_status") == "loading");
  bench.pass(16);
  CHECK(bench.one(id).at("actual_status") == "running");
  CHECK(count(bench.room.calls, "start") == 2);
}

TEST_CASE("a start whose GPUs went to somebody else is queued, and happens when they are free again") {
  Bench bench;
  const json offer = bench.good_offer({{"num_gpus", {{"eq", 1}}}, {"gpu_frac", {{"eq", 1.0}}}});
  const json machine = {{"machine_id", {{"eq", offer.at("machine_id")}}}};
  const auto first =
      bench.put(Bench::ask_path(offer), Bench::order()).body.at("new_contract").get<std::int64_t>();
  bench.pass(700);
  bench.put(Bench::path_of(first), {{"state", "stopped"}});
  bench.pass(5);
  const auto second = bench.put(Bench::ask_path(bench.search(machine)[0]), Bench::order())
                          .body.at("new_contract")
                          .get<std::int64_t>();

  const auto refused = bench.put(Bench::path_of(first), {{"state", "running"}});
  CHECK(refused.status == 200);
  CHECK(refused.body.at("success") == false);
  CHECK(refused.body.at("error") == "resources_unavailable");
  bench.del(Bench::path_of(second));
  bench.pass(60);
  CHECK(bench.one(first).at("actual_status") == "running");
}

TEST_CASE("destroy succeeds at once, the row goes later, and the second time it is not there") {
  Bench bench;
  const std::int64_t id = bench.rent_and_boot();
  CHECK(bench.del(Bench::path_of(id)).body.at("success") == true);
  CHECK(bench.all().at("total_instances") == 1);
  CHECK(bench.one(id).at("next_state") == "unloaded");
  bench.pass(5);
  CHECK(bench.all().at("total_instances") == 0);
  CHECK(bench.one(id).is_null());
  const auto again = bench.del(Bench::path_of(id));
  CHECK(again.status == 404);
  CHECK(again.body.at("error") == "no_such_instance");
  CHECK(bench.room.calls.back() == "remove");
}

TEST_CASE("many at once: destroy, stop and label") {
  Bench bench;
  const std::int64_t a = bench.rent(), b = bench.rent();
  bench.pass(700);
  CHECK(bench.put("/api/v0/instances/", {{"state", "stopped"}, {"ids", {a, b}}}).status == 200);
  bench.pass(5);
  CHECK(bench.one(a).at("actual_status") == "exited");
  CHECK(bench.one(b).at("actual_status") == "exited");
  CHECK(bench.put(Bench::path_of(a), {{"label", "other"}}).status == 200);
  CHECK(bench.one(a).at("label") == "other");
  CHECK(bench.put(Bench::path_of(a), {{"label", std::string(257, 'x')}}).body.at("error") ==
        "label_too_long");
  CHECK(bench.ask("DELETE", "/api/v0/instances/", {{"instance_ids", {a, b}}}).status == 200);
  bench.pass(5);
  CHECK(bench.state().at("live_contracts") == 0);
}

TEST_CASE("reboot and recycle come back to running; recycle makes a new machine") {
  Bench bench;
  const std::int64_t id = bench.rent_and_boot();
  bench.put("/api/v0/instances/reboot/" + std::to_string(id) + "/", json::object());
  CHECK(bench.one(id).at("actual_status") == "rebooting");
  bench.pass(15);
  CHECK(bench.one(id).at("actual_status") == "running");
  const auto made = count(bench.room.calls, "prepare");
  bench.put("/api/v0/instances/recycle/" + std::to_string(id) + "/", json::object());
  CHECK(bench.one(id).at("actual_status") == "recycling");
  CHECK(count(bench.room.calls, "prepare") == made + 1);
  bench.pass(15);
  CHECK(bench.one(id).at("actual_status") == "running");
}

TEST_CASE("a bid below the floor leaves a stopped contract that bills; a higher bid starts it") {
  Bench bench;
  const json offer = bench.good_offer();
  const double floor = offer.at("min_bid").get<double>();
  const auto low = bench.put(Bench::ask_path(offer), Bench::order({{"price", floor / 2}}));
  CHECK(low.status == 200);
  CHECK(low.body.at("success") == false);
  const auto id = low.body.at("new_contract").get<std::int64_t>();
  bench.pass(10);
  const json row = bench.one(id);
  CHECK(row.at("cur_state") == "stopped");
  CHECK(row.at("intended_status") == "stopped");
  CHECK(row.at("is_bid") == true);
  CHECK(bench.truth(id).at("bills") == true);
  CHECK(bench.put(Bench::path_of(id), {{"state", "running"}}).body.at("error") == "resources_unavailable");
  bench.put("/api/v0/instances/bid_price/" + std::to_string(id) + "/",
            {{"client_id", "me"}, {"price", floor * 2}});
  bench.pass(700);
  CHECK(bench.one(id).at("actual_status") == "running");
}

TEST_CASE("orders that the API refuses are refused, and nothing is made") {
  Bench bench;
  const std::string path = Bench::ask_path(bench.good_offer());
  CHECK(bench.put(path, Bench::order({{"image", nullptr}})).body.at("error") == "invalid_args");
  CHECK(bench.put(path, Bench::order({{"env", "-e A=1"}})).body.at("error") == "invalid_args");
  CHECK(bench.put(path, Bench::order({{"onstart", std::string(4097, 'x')}})).status == 400);
  CHECK(bench.put(path, Bench::order({{"price", 500}})).body.at("error") == "invalid_price");
  CHECK(bench.put(path, Bench::order({{"label", std::string(257, 'x')}})).body.at("error") ==
        "label_too_long");
  CHECK(bench.put(path, Bench::order({{"disk", 1e7}})).body.at("error") == "invalid_args");
  const auto gone = bench.put("/api/v0/asks/12345/", Bench::order());
  CHECK(gone.status == 400);
  CHECK(gone.body.at("msg") == "error 404/3603: no_such_ask  Instance type by id 12345 is not available.");
  CHECK(gone.body.at("ask_id") == 12345);
  CHECK(bench.state().at("contracts").empty());
}

TEST_CASE("the host ends the contract at its end date and deletes it two days later") {
  Bench bench;
  bench.fault({{"name", "end-date-soon"}, {"value", "1200"}});
  const std::int64_t id = bench.rent();
  bench.pass(1100);
  CHECK(bench.one(id).at("actual_status") == "running");
  CHECK(bench.one(id).at("duration").get<double>() == Approx(100));
  bench.pass(101);
  CHECK(bench.one(id).at("actual_status") == "exited");
  CHECK(bench.one(id).at("intended_status") == "stopped");
  bench.pass(48 * 3600);
  CHECK(bench.one(id).is_null());
}

TEST_CASE("an instance's own key shows, stops and destroys its instance, and nothing else") {
  Bench bench;
  const std::int64_t other = bench.rent();
  const std::int64_t id = bench.rent();
  const std::string key = bench.instance_key;
  bench.pass(10);
  CHECK(bench.ask("GET", Bench::path_of(id), nullptr, key).body.at("instances").at("id") == id);
  CHECK(bench.ask("GET", Bench::path_of(other), nullptr, key).status == 403);
  CHECK(bench.ask("GET", "/api/v1/instances/", nullptr, key).status == 403);
  CHECK(bench.ask("GET", "/api/v0/users/current", nullptr, key).status == 403);
  CHECK(bench.ask("GET", "/admin/state", nullptr, key).status == 403);
  CHECK(bench.ask("DELETE", Bench::path_of(other), json::object(), key).status == 403);
  CHECK(bench.ask("PUT", Bench::path_of(id), {{"label", "mine"}}, key).status == 403);
  CHECK(bench.ask("PUT", Bench::path_of(id), {{"state", "stopped"}}, key).status == 200);
  CHECK(bench.ask("DELETE", Bench::path_of(id), json::object(), key).status == 200);
  bench.pass(5);
  CHECK(bench.truth(id).at("alive") == false);
  CHECK(bench.truth(other).at("alive") == true);
  CHECK(bench.ask("GET", Bench::path_of(id), nullptr, key).status == 404);  // the key went with it
}

TEST_CASE("a machine that cannot be made shows as a bad host") {
  Bench bench;
  const std::int64_t id = bench.rent();
  bench.room.why = "no namespaces here";
  bench.pass(10);
  CHECK(bench.one(id).at("actual_status") == "created");
  CHECK(bench.one(id).at("status_msg").get<std::string>().find("OCI runtime create failed") !=
        std::string::npos);
}
