#pragma once
// The sandbox's marketplace behind real HTTP on an ephemeral port, with a clock that only a test moves and a
// room that writes down what was asked of the machines. One thread.

#include <httplib.h>

#include <map>
#include <string>
#include <vector>

#include "sandbox/http_server.h"
#include "tests/support/catch.h"
#include "tests/support/fake_clock.h"

namespace vastgpu::sandbox {

class NotedRoom : public Room {
 public:
  void prepare(MachineSpec spec, SshMood how) override {
    mood[spec.id] = how;
    calls.push_back("prepare");
    specs[spec.id] = std::move(spec);
  }
  void start(std::int64_t) override { calls.push_back("start"); }
  void open_ssh(std::int64_t) override { calls.push_back("open_ssh"); }
  void stop(std::int64_t) override { calls.push_back("stop"); }
  void set_clock_skew(std::int64_t id, double seconds) override { specs[id].clock_skew_seconds = seconds; }
  void set_keys(std::int64_t id, std::vector<std::string> k) override { keys[id] = std::move(k); }
  void move_ssh(std::int64_t, std::uint16_t) override {}
  void remove(std::int64_t) override { calls.push_back("remove"); }
  std::uint16_t relay_port(std::int64_t) const override { return 2222; }
  std::string log(std::int64_t id) const override {
    const auto at = logs.find(id);
    return at == logs.end() ? "one\ntwo words\nthree\n" : at->second;
  }
  std::uint64_t disk_used(std::int64_t) const override { return disk; }
  std::string trouble(std::int64_t) const override { return why; }
  std::vector<std::int64_t> running() const override { return {}; }

  std::map<std::int64_t, MachineSpec> specs;
  std::map<std::int64_t, std::string> logs;  ///< of those that printed something else
  std::map<std::int64_t, SshMood> mood;
  std::map<std::int64_t, std::vector<std::string>> keys;
  std::vector<std::string> calls;
  std::uint64_t disk = 0;
  std::string why;
};

struct Answered {
  int status = 0;
  json body;
  std::string text;
  httplib::Headers headers;
};

class Bench {
 public:
  /// A smaller market than usual, to be quick; some tests ask for the whole.
  static WorldOptions few_offers() {
    WorldOptions options;
    options.offers = 120;
    return options;
  }
  explicit Bench(WorldOptions options = few_offers(), bool limited = false)
      : marketplace(options, "sandbox-key", clock, room), server(marketplace) {
    if (!limited) REQUIRE(marketplace.switch_on("rate-limit=off"));
    const auto bound = server.start(0);
    REQUIRE(bound);
    port = *bound;
  }

  Answered ask(const std::string& method, const std::string& path, const json& body = nullptr,
               const std::string& key = "sandbox-key") {
    httplib::Client client("127.0.0.1", port);
    httplib::Request request;
    request.method = method;
    request.path = path;
    if (!key.empty()) request.headers.emplace("Authorization", "Bearer " + key);
    if (!body.is_null()) {
      request.body = dump(body);
      request.headers.emplace("Content-Type", "application/json");
    }
    const auto got = client.send(request);
    if (!got) return {};
    return {got->status, parse_json(got->body, "answer").value_or(json()), got->body, got->headers};
  }
  Answered get(const std::string& path) { return ask("GET", path); }
  Answered put(const std::string& path, const json& body) { return ask("PUT", path, body); }
  Answered post(const std::string& path, const json& body) { return ask("POST", path, body); }
  Answered del(const std::string& path) { return ask("DELETE", path, json::object()); }

  void pass(double seconds) {
    clock.advance(Duration(static_cast<std::int64_t>(seconds * 1e6)));
    marketplace.tick();
  }

  json search(json filters = json::object()) {
    if (!filters.contains("rentable")) filters["rentable"] = {{"eq", true}};
    const Answered got = post("/api/v0/bundles/", filters);
    REQUIRE(got.status == 200);
    return got.body.at("offers");
  }
  /// An offer for tests: direct ports, months left, clean rows.
  json good_offer(json more = json::object()) {
    more["direct_port_count"] = {{"gte", 2}};
    more["duration"] = {{"gte", 86400 * 3}};
    more["disk_space"] = {{"gte", 100}};
    more["order"] = json::array({json::array({"dph_total", "asc"})});
    more["limit"] = 1;
    const json offers = search(more);
    REQUIRE_FALSE(offers.empty());
    return offers[0];
  }
  static json order(json more = json::object()) {
    json body = {{"client_id", "me"},     {"image", "pytorch/pytorch:2.4.0-cuda12.4-cudnn9-runtime"},
                 {"env", json::object()}, {"price", nullptr},
                 {"disk", 20.0},          {"label", "job-1"},
                 {"onstart", nullptr},    {"runtype", "ssh_direc ssh_proxy"},
                 {"cancel_unavail", true}};
    body.update(more);
    return body;
  }
  std::int64_t rent(const json& more = json::object()) {
    const Answered got = put(ask_path(good_offer()), order(more));
    CAPTURE(got.text);
    REQUIRE(got.status == 200);
    instance_key = got.body.at("instance_api_key").get<std::string>();
    return got.body.at("new_contract").get<std::int64_t>();
  }
  /// Rented, and far enough that SSH would answer.
  std::int64_t rent_and_boot(const json& more = json::object()) {
    const std::int64_t id = rent(more);
    pass(700);
    REQUIRE(one(id).at("actual_status") == "running");
    return id;
  }
  json one(std::int64_t id) { return get(path_of(id)).body.at("instances"); }
  json all() { return get("/api/v1/instances/").body; }
  json state() { return get("/admin/state").body; }
  json truth(std::int64_t id) {
    const json all_of_it = state();
    for (const json& c : all_of_it.at("contracts"))
      if (c.at("id") == id) return c;
    return nullptr;
  }
  void fault(const json& wanted) {
    const Answered got = post("/admin/faults", wanted);
    CAPTURE(got.text);
    REQUIRE(got.status == 200);
  }
  static std::string ask_path(const json& offer) {
    return "/api/v0/asks/" + std::to_string(offer.at("id").get<std::int64_t>()) + "/";
  }
  static std::string path_of(std::int64_t id) { return "/api/v0/instances/" + std::to_string(id) + "/"; }

  FakeClock clock;
  NotedRoom room;
  Marketplace marketplace;
  HttpServer server;
  int port = 0;
  std::string instance_key;
};

}  // namespace vastgpu::sandbox
