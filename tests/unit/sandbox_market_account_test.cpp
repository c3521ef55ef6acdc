#include "tests/support/sandbox_bench.h"

using namespace vastgpu;
using namespace vastgpu::sandbox;

TEST_CASE("keys: header or parameter; none is 403, a wrong one is 404") {
  Bench bench;
  CHECK(bench.ask("GET", "/api/v0/users/current/", nullptr, "").status == 403);
  CHECK(bench.ask("GET", "/api/v0/users/current/?api_key=sandbox-key", nullptr, "").status == 200);
  const auto wrong = bench.ask("GET", "/api/v0/users/current/", nullptr, "nonsense");
  CHECK(wrong.status == 404);
  CHECK(wrong.body.at("error") == "auth_error");
  CHECK(wrong.body.at("msg") == "Invalid user key");
}

TEST_CASE("five requests in ten seconds, then 429 with its headers, on the sandbox's clock") {
  Bench bench(Bench::few_offers(), true);
  for (int i = 0; i < 5; ++i) CHECK(bench.get("/api/v0/users/current").status == 200);
  const auto refused = bench.post("/api/v0/bundles/", {{"limit", 1}});
  CHECK(refused.status == 429);
  CHECK(refused.headers.find("x-ratelimit-limit")->second == "5.0");
  CHECK(refused.headers.find("x-ratelimit-remaining")->second == "0");
  CHECK(refused.headers.count("x-ratelimit-reset") == 1);
  CHECK(refused.headers.find("retry-after")->second == "10");
  CHECK(refused.body.at("error") == "HTTPTooManyRequests");
  CHECK(bench.ask("GET", "/api/v0/gpu_names/unique/", nullptr, "").status == 200);
  CHECK(bench.get("/admin/state").status == 200);
  bench.pass(10);
  CHECK(bench.get("/api/v0/users/current").status == 200);
}

TEST_CASE("SSH keys of the account go to new instances, attached ones to theirs") {
  Bench bench;
  const auto added = bench.post("/api/v0/ssh/", {{"ssh_key", "ssh-ed25519 AAAA first"}});
  const auto key_id = added.body.at("key").at("id").get<std::int64_t>();
  CHECK(bench.get("/api/v0/ssh/").body.at(0).at("public_key") == "ssh-ed25519 AAAA first");
  const std::int64_t id = bench.rent();
  bench.post("/api/v0/ssh/", {{"ssh_key", "ssh-ed25519 BBBB later"}});
  const std::string ssh = Bench::path_of(id) + "ssh/";
  const auto listed = bench.get(ssh).body.at("ssh_keys");
  REQUIRE(listed.is_string());  // JSON inside a string
  CHECK(parse_json(listed.get<std::string>(), "keys")->size() == 1);

  CHECK(bench.post(ssh, {{"ssh_key", "ssh-ed25519 CCCC mine"}}).body.at("msg") ==
        "SSH key added to instance.");
  CHECK(bench.room.keys.at(id).size() == 2);
  CHECK(bench.post(ssh, {{"ssh_key", "ssh-ed25519 CCCC mine"}})
            .body.at("msg")
            .get<std::string>()
            .find("already") != std::string::npos);
  CHECK(bench.post(ssh, {{"ssh_key", "not a key"}}).body.at("error") == "no_ssh_key");
  CHECK(bench.del(ssh + std::to_string(key_id) + "/").status == 200);
  CHECK(bench.room.keys.at(id) == std::vector<std::string>{"ssh-ed25519 CCCC mine"});
  CHECK(bench.del("/api/v0/ssh/" + std::to_string(key_id) + "/").status == 200);
  CHECK(bench.get("/api/v0/ssh/").body.size() == 1);
}

TEST_CASE("logs come from an address that needs no key, a moment later") {
  Bench bench;
  const std::int64_t id = bench.rent_and_boot();
  const auto asked = bench.put("/api/v0/instances/request_logs/" + std::to_string(id) + "/", {{"tail", "2"}});
  const auto url = asked.body.at("result_url").get<std::string>();
  const std::string base = "http://127.0.0.1:" + std::to_string(bench.port);
  REQUIRE(url.starts_with(base + "/"));
  const std::string path = url.substr(base.size());
  CHECK(bench.ask("GET", path, nullptr, "").status == 404);
  bench.pass(2);
  CHECK(bench.ask("GET", path, nullptr, "").text == "two words\nthree\n");
  const auto filtered =
      bench.put("/api/v0/instances/request_logs/" + std::to_string(id) + "/", {{"filter", "two"}});
  bench.pass(2);
  CHECK(bench.ask("GET", filtered.body.at("result_url").get<std::string>().substr(base.size()), nullptr, "")
            .text == "two words\n");
}

TEST_CASE("execute is for stopped instances and three words") {
  Bench bench;
  const std::int64_t id = bench.rent_and_boot();
  const std::string path = "/api/v0/instances/command/" + std::to_string(id) + "/";
  CHECK(bench.put(path, {{"command", "ls -l /"}}).body.at("msg") == "Invalid command given.");
  bench.put(Bench::path_of(id), {{"state", "stopped"}});
  bench.pass(5);
  CHECK(bench.put(path, {{"command", "ls -l /"}}).body.contains("result_url"));
  CHECK(bench.put(path, {{"command", "cat /etc/passwd"}}).status == 400);
}

TEST_CASE("the smaller routes answer in the shapes that clients read") {
  Bench bench;
  const std::int64_t id = bench.rent_and_boot();
  CHECK(bench.get("/api/v0/instances/filters/").body.at("filters").at(0).contains("gpu_name"));
  CHECK(bench.get("/api/v0/instances/balance/" + std::to_string(id) + "/?owner=me")
            .body.contains("refundable_deposit"));
  CHECK(bench.get("/api/v0/instances/pending-price-increases/").body.at("error") ==
        "no_pending_price_increase");
  CHECK(bench.get("/api/v0/auth/apikeys/").body.at("apikeys").is_array());
  CHECK(bench.get("/api/v0/template/").body.at("templates").size() == 1);
  CHECK(bench.get("/api/v0/users/me/ipaddrs?owner=me").body.at("results").is_array());
  CHECK(bench.get("/api/v0/audit_logs/").body.is_array());
  bench.post("/api/v0/secrets/", {{"key", "hf_token"}, {"value", "x"}});
  CHECK(bench.get("/api/v0/secrets/").body.at("secrets") == json{{"HF_TOKEN", "****"}});
  const auto machine = bench.one(id).at("machine_id").get<std::int64_t>();
  CHECK(bench.put("/api/v0/machines/" + std::to_string(machine) + "/report", {{"problem", "gpu"}}).status ==
        200);
  CHECK(bench.state().at("reports").size() == 1);
  const auto made = bench.post("/api/v0/auth/apikeys/", {{"name", "n"}, {"permissions", json::object()}});
  CHECK(bench.ask("GET", "/api/v0/users/current", nullptr, made.body.at("key").get<std::string>()).status ==
        200);
}

TEST_CASE("bodies must be JSON objects that say so") {
  Bench bench;
  httplib::Client client("127.0.0.1", bench.port);
  const httplib::Headers key{{"Authorization", "Bearer sandbox-key"}};
  CHECK(client.Post("/api/v0/bundles/", key, "{\"limit\":1}", "text/plain")->status == 400);
  CHECK(client.Post("/api/v0/bundles/", key, "{not json", "application/json")->status == 400);
  CHECK(client.Post("/api/v0/bundles/", key, "[1]", "application/json")->status == 400);
  CHECK(client.Post("/api/v0/bundles/", key, "{\"order\":7,\"limit\":1}", "application/json")->status == 200);
}

TEST_CASE("a PUT without a body is answered at once") {
  Bench bench;
  const std::int64_t id = bench.rent_and_boot();
  const auto before = std::chrono::steady_clock::now();
  httplib::Client client("127.0.0.1", bench.port);
  httplib::Request request;
  request.method = "PUT";
  request.path = "/api/v0/instances/reboot/" + std::to_string(id) + "/";
  request.headers.emplace("Authorization", "Bearer sandbox-key");
  REQUIRE(client.send(request));
  CHECK(bench.one(id).at("actual_status") == "rebooting");
  CHECK(std::chrono::steady_clock::now() - before < std::chrono::seconds(4));
}
