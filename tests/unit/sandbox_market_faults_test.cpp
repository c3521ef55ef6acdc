#include <functional>
#include <set>

#include "core/text.h"
#include "tests/support/sandbox_bench.h"

using namespace vastgpu;
using namespace vastgpu::sandbox;

namespace {

std::string word(const json& row, const char* name) {
  return read_field<std::string>(row, name).value_or("");
}
Answered create(Bench& b) { return b.put(Bench::ask_path(b.good_offer()), Bench::order()); }

const std::string kHostKeyLine = "vast-gpu host key 12: 256 SHA256:BCD no comment (ED25519)";

/// The log of a fresh machine that printed such a line.
std::string log_of(Bench& b) {
  const auto id = b.rent_and_boot();
  b.room.logs[id] = kHostKeyLine + "\n";
  const auto url = word(
      b.put("/api/v0/instances/request_logs/" + std::to_string(id) + "/", json::object()).body, "result_url");
  b.pass(5);
  const auto answer = b.get(url.substr(url.find("/instance_logs")));
  return answer.status == 200 ? answer.text : "no log";
}

struct Script {
  std::string fault;
  std::function<bool(Bench&)> shows;  ///< the fault is on already
};

const std::vector<Script>& scripts() {
  static const std::vector<Script> all{
      {"api-down", [](Bench& b) { return b.get("/api/v0/users/current").status == 503; }},
      {"api-down=close", [](Bench& b) { return b.get("/api/v0/users/current").status == 0; }},
      {"gateway-502", [](Bench& b) { return b.get("/api/v0/users/current").text.starts_with("<html>"); }},
      {"rate-limit=plain",
       [](Bench& b) { return b.get("/api/v0/users/current").text.starts_with("API requests"); }},
      {"rate-limit=detail", [](Bench& b) { return b.get("/api/v0/users/current").body.contains("detail"); }},
      {"rate-limit=bare",
       [](Bench& b) {
         const auto r = b.get("/api/v0/users/current");
         return r.status == 429 && r.headers.count("retry-after") == 0 && r.body.contains("retry_after");
       }},
      {"rate-limit*2",
       [](Bench& b) {
         for (int i = 0; i < 2; ++i)
           if (b.get("/api/v0/users/current").status != 429) return false;
         return b.get("/api/v0/users/current").status == 200;
       }},
      {"route-intervals",
       [](Bench& b) {
         b.get("/api/v1/instances/");
         return b.get("/api/v1/instances/").status == 429;
       }},
      {"auth-404",
       [](Bench& b) { return word(b.get("/api/v0/users/current").body, "error") == "auth_error"; }},
      {"auth-401", [](Bench& b) { return b.ask("GET", "/api/v0/ssh/", nullptr, "bad").status == 401; }},
      {"auth-401-2fa",
       [](Bench& b) {
         return b.get("/api/v0/users/current").status == 200 &&
                word(create(b).body, "msg").starts_with("Two Factor");
       }},
      {"deprecated=/api/v0/bundles",
       [](Bench& b) {
         return b.post("/api/v0/bundles/", json::object()).status == 410 &&
                b.get("/api/v1/instances/").status == 200;
       }},
      {"dirty-data",
       [](Bench& b) {
         return b.post("/api/v0/bundles/", json::object()).text.find("\"reliability_mult\":NaN") !=
                std::string::npos;
       }},
      {"hostile-words",
       [](Bench& b) {
         b.rent();
         b.pass(5);
         return word(b.all().at("instances").at(0), "status_msg").find("Ignore all") != std::string::npos &&
                b.post("/api/v0/bundles/", json::object()).text.find("IGNORE") != std::string::npos;
       }},
      {"short-list",
       [](Bench& b) {
         b.rent();
         b.pass(5);
         return b.all().at("instances").empty() && b.all().at("total_instances") == 1;
       }},
      {"paging-repeated-token",
       [](Bench& b) {
         b.rent();
         b.rent();
         b.rent();
         b.pass(5);
         const auto first = b.get("/api/v1/instances/?limit=1").body;
         const auto token = word(first, "next_token");
         return word(b.get("/api/v1/instances/?limit=1&after_token=" + token).body, "next_token") == token;
       }},
      {"paging-shift",
       [](Bench& b) {
         b.rent();
         b.rent();
         b.pass(5);
         const auto token = word(b.get("/api/v1/instances/?limit=1").body, "next_token");
         return b.get("/api/v1/instances/?limit=1&after_token=" + token).body.at("instances").empty();
       }},
      {"offer-gone=410",
       [](Bench& b) {
         const json offer = b.good_offer();
         const auto r = b.put(Bench::ask_path(offer), Bench::order());
         return r.status == 410 && r.body.at("error") == "no_such_ask" &&
                b.search({{"ask_contract_id", {{"eq", offer.at("id")}}}}).empty();
       }},
      {"low-bid",
       [](Bench& b) {
         const auto r = create(b);
         return r.status == 200 && r.body.at("success") == false && r.body.contains("new_contract");
       }},
      {"no-credit", [](Bench& b) { return word(create(b).body, "error") == "insufficient_credit"; }},
      {"create-504", [](Bench& b) { return create(b).status == 504 && b.state().at("live_contracts") == 1; }},
      {"create-504-lost",
       [](Bench& b) { return create(b).status == 504 && b.state().at("live_contracts") == 0; }},
      {"not-visible",
       [](Bench& b) {
         const auto id = b.rent();
         b.pass(50);
         if (!b.one(id).is_null()) return false;
         b.pass(15);
         return !b.one(id).is_null();
       }},
      {"parked",
       [](Bench& b) {
         const auto id = b.rent();
         b.pass(700);
         const json row = b.one(id);
         if (word(row, "actual_status") != "created" || word(row, "intended_status") != "stopped")
           return false;
         b.put(Bench::path_of(id), {{"state", "running"}});
         b.pass(20);
         return word(b.one(id), "actual_status") == "running";
       }},
      {"never-boots=420",
       [](Bench& b) {
         const auto id = b.rent();
         b.pass(5000);
         return word(b.one(id), "actual_status") == "loading" &&
                word(b.one(id), "intended_status") == "stopped";
       }},
      {"bad-image",
       [](Bench& b) {
         const auto id = b.rent();
         b.pass(500);
         return word(b.one(id), "status_msg").find("manifest for") != std::string::npos &&
                word(b.one(id), "actual_status") == "loading" &&
                word(b.one(id), "intended_status") == "stopped";
       }},
      {"bad-host=space",
       [](Bench& b) {
         const auto id = b.rent();
         b.pass(500);
         return word(b.one(id), "status_msg").find("no space left on device") != std::string::npos;
       }},
      {"slow-boot=10",
       [](Bench& b) {
         const auto id = b.rent();
         b.pass(1000);
         return word(b.one(id), "actual_status") == "loading";
       }},
      {"ssh-refused", [](Bench& b) { return b.room.mood.at(b.rent()) == SshMood::refuses; }},
      {"ssh-no-banner", [](Bench& b) { return b.room.mood.at(b.rent()) == SshMood::silent; }},
      {"ssh-denied",
       [](Bench& b) {
         const auto id = b.rent();
         b.post(Bench::path_of(id) + "ssh/", {{"ssh_key", "ssh-ed25519 AAAA"}});
         return b.room.keys.at(id).empty();
       }},
      {"proxy-only", [](Bench& b) { return !b.one(b.rent_and_boot()).at("ports").contains("22/tcp"); }},
      {"outbid=10:100",
       [](Bench& b) {
         const auto id = b.rent();
         for (int i = 0; i < 1000 && word(b.one(id), "actual_status") != "exited"; ++i) b.pass(2);
         if (word(b.one(id), "intended_status") != "running") return false;
         b.pass(130);
         return word(b.one(id), "actual_status") == "running";
       }},
      {"offline=10:100",
       [](Bench& b) {
         const auto id = b.rent();
         for (int i = 0; i < 1000 && word(b.one(id), "actual_status") != "offline"; ++i) b.pass(2);
         if (word(b.one(id), "actual_status") != "offline") return false;
         b.pass(101);
         return word(b.one(id), "actual_status") == "running";
       }},
      {"key-lost=100",
       [](Bench& b) {
         b.post("/api/v0/ssh/", {{"ssh_key", "ssh-ed25519 AAAA"}});
         const auto id = b.rent();
         b.pass(900);
         if (!b.room.keys.at(id).empty()) return false;
         b.post(Bench::path_of(id) + "ssh/", {{"ssh_key", "ssh-ed25519 AAAA"}});
         return b.room.keys.at(id).size() == 1;
       }},
      {"repricing=2",
       [](Bench& b) {
         const json offer = b.good_offer();
         const auto id =
             b.put(Bench::ask_path(offer), Bench::order()).body.at("new_contract").get<std::int64_t>();
         b.pass(5);
         const auto pending = b.get("/api/v0/instances/pending-price-increases/").body;
         return b.one(id).at("dph_base").get<double>() == Approx(2 * offer.at("dph_base").get<double>()) &&
                pending.at("count") == 1;
       }},
      {"wrong-gpu=Tesla T4", [](Bench& b) { return b.room.specs.at(b.rent()).gpu_name == "Tesla T4"; }},
      {"end-date-soon=300",
       [](Bench& b) {
         const auto id = b.rent();
         b.pass(301);
         return word(b.one(id), "actual_status") == "exited";
       }},
      {"clock-skew=77", [](Bench& b) { return b.room.specs.at(b.rent()).clock_skew_seconds == 77; }},
      {"full-price",
       [](Bench& b) {
         const json offer = b.good_offer();
         json order = Bench::order();
         order["price"] = offer.at("dph_base").get<double>() * 0.9;
         const auto id = b.put(Bench::ask_path(offer), order).body.at("new_contract").get<std::int64_t>();
         b.pass(5);
         return b.one(id).at("is_bid") == false &&
                b.one(id).at("dph_base").get<double>() == Approx(offer.at("dph_base").get<double>());
       }},
      {"no-container-key",
       [](Bench& b) { return !b.room.specs.at(b.rent()).env.contains("CONTAINER_API_KEY"); }},
      {"bad-container-key",
       [](Bench& b) {
         const auto id = b.rent();
         const std::string key = b.room.specs.at(id).env.at("CONTAINER_API_KEY");
         return b.ask("GET", Bench::path_of(id), nullptr, key).status == 401;
       }},
      {"no-curl", [](Bench& b) { return b.room.specs.at(b.rent()).no_curl; }},
      {"intruder", [](Bench& b) { return b.room.specs.at(b.rent()).intruder; }},
      {"start-refused=50",
       [](Bench& b) {
         const auto id = b.rent_and_boot();
         b.put(Bench::path_of(id), {{"state", "stopped"}});
         b.pass(5);
         const auto r = b.put(Bench::path_of(id), {{"state", "running"}});
         if (r.status != 200 || word(r.body, "error") != "resources_unavailable") return false;
         b.pass(70);
         return word(b.one(id), "actual_status") == "running";
       }},
      {"destroy-lag=90",
       [](Bench& b) {
         const auto id = b.rent_and_boot();
         b.del(Bench::path_of(id));
         b.pass(80);
         if (b.one(id).is_null() || b.truth(id).at("bills") != true) return false;
         b.pass(11);
         return b.one(id).is_null();
       }},
      {"destroy-resurrects",
       [](Bench& b) {
         const auto id = b.rent_and_boot();
         b.del(Bench::path_of(id));
         b.pass(6);
         if (!b.one(id).is_null()) return false;
         b.pass(21);
         if (b.one(id).is_null() || b.truth(id).at("bills") != true) return false;
         b.del(Bench::path_of(id));
         b.pass(100);
         return b.one(id).is_null();
       }},
      {"logs-late=2",
       [](Bench& b) {
         const auto id = std::to_string(b.rent_and_boot());
         const auto url =
             word(b.put("/api/v0/instances/request_logs/" + id + "/", json::object()).body, "result_url");
         const std::string path = url.substr(url.find("/instance_logs"));
         b.pass(5);
         return b.get(path).status == 404 && b.get(path).status == 404 && b.get(path).status == 200;
       }},
      {"logs-never",
       [](Bench& b) {
         const auto id = std::to_string(b.rent_and_boot());
         const auto url =
             word(b.put("/api/v0/instances/request_logs/" + id + "/", json::object()).body, "result_url");
         b.pass(5000);
         return b.get(url.substr(url.find("/instance_logs"))).status == 404;
       }},
      {"logs-empty", [](Bench& b) { return log_of(b).empty(); }},
      {"logs-of-another",
       [](Bench& b) {
         const std::string log = log_of(b);
         return log.find(kHostKeyLine) == std::string::npos && log.find("256 SHA256:A") != std::string::npos;
       }},
      {"credit-out", [](Bench& b) { return b.get("/api/v0/users/current").body.at("credit") == 0.0; }},
      {"team-keys",
       [](Bench& b) {
         return word(b.post("/api/v0/ssh/", {{"ssh_key", "ssh-ed25519 AAAA"}}).body, "error") ==
                "team_ssh_keys_not_supported";
       }},
  };
  return all;
}

}  // namespace

TEST_CASE("each fault shows on the wire") {
  for (const Script& script : scripts()) {
    CAPTURE(script.fault);
    const bool limits = script.fault.starts_with("r");
    Bench bench(Bench::few_offers(), limits);
    REQUIRE(bench.marketplace.switch_on(script.fault));
    CHECK(script.shows(bench));
  }
}

TEST_CASE("no fault is without a script above") {
  std::set<std::string> tried;
  for (const Script& script : scripts())
    tried.insert(script.fault.substr(0, script.fault.find_first_of("=*")));
  for (const FaultInfo& f : known_faults()) {
    CAPTURE(f.name);
    CHECK(tried.contains(std::string(f.name)));
  }
  CHECK(tried.size() == known_faults().size());
}

TEST_CASE("a fault of one instance leaves the others alone, and one of a machine follows the machine") {
  Bench bench;
  const std::int64_t a = bench.rent_and_boot(), b = bench.rent_and_boot();
  bench.fault({{"name", "outbid"}, {"value", "0:0"}, {"instance", a}});
  CHECK(bench.one(a).at("actual_status") == "exited");
  CHECK(bench.one(b).at("actual_status") == "running");

  const json offer = bench.good_offer();
  bench.fault({{"name", "bad-host"}, {"machine", offer.at("machine_id")}});
  for (int i = 0; i < 2; ++i) {
    const json again = bench.search({{"machine_id", {{"eq", offer.at("machine_id")}}}})[0];
    const auto id =
        bench.put(Bench::ask_path(again), Bench::order()).body.at("new_contract").get<std::int64_t>();
    bench.pass(10);
    CHECK(bench.one(id).at("actual_status") == "created");
    bench.del(Bench::path_of(id));
    bench.pass(10);
  }
}

TEST_CASE("faults are listed, counted down, removed, and unknown ones are refused with the list") {
  Bench bench;
  bench.fault({{"name", "gateway-502"}, {"times", 1}, {"route", "GET /api/v0/users"}});
  CHECK(bench.get("/api/v0/ssh/").status == 200);
  CHECK(bench.get("/api/v0/users/current").status == 502);
  CHECK(bench.get("/api/v0/users/current").status == 200);
  bench.fault({{"name", "auth-404"}});
  CHECK(bench.get("/admin/faults").body.at("active").back().at("name") == "auth-404");
  CHECK(bench.del("/admin/faults/auth-404").status == 200);
  CHECK(bench.del("/admin/faults/auth-404").status == 404);
  const auto unknown = bench.post("/admin/faults", {{"name", "meteor"}});
  CHECK(unknown.status == 400);
  CHECK(unknown.body.at("msg").get<std::string>().find("never-boots") != std::string::npos);
  CHECK_FALSE(bench.marketplace.switch_on("meteor=3"));
}
