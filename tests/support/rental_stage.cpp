#include "tests/support/rental_stage.h"

#include <httplib.h>

#include "core/files.h"
#include "tests/support/answer_check.h"
#include "tests/support/catch.h"
#include "tools/all_tools.h"

namespace vastgpu {

RentalStage::RentalStage(const std::string& program, const StageOptions& options) : options_(options) {
  project_ = folder_.path() / "project";
  folder_.write("project/CLAUDE.md", "# Project\n\n## Vast.ai\n- gpu: vast\n- max_budget: 5.00\n");
  folder_.write("project/train.py",
                "import json, os\nos.makedirs('results', exist_ok=True)\n"
                "json.dump({'loss': 0.5}, open('results/metrics.json', 'w'))\nprint('trained')\n");
  folder_.write("project/requirements.txt", "numpy\n");
  std::filesystem::create_directories(folder_.path() / "home");

  std::vector<std::string> arguments{program,    "-q",
                                     "sandbox",  "--leash",
                                     "--speed",  std::to_string(options.speed),
                                     "--credit", std::to_string(options.credit),
                                     "--offers", std::to_string(options.offers),
                                     "--state",  (folder_.path() / "sandbox").string()};
  if (!options.machines) arguments.emplace_back("--no-machines");
  for (const std::string& fault : options.faults) {
    arguments.emplace_back("--fault");
    arguments.push_back(fault);
  }
  auto child = Child::start(arguments, {}, (folder_.path() / "sandbox.log").string());
  REQUIRE(child);
  sandbox_ = std::make_unique<Child>(*std::move(child));
  const auto ready = parse_json(sandbox_->read_line(std::chrono::seconds(30)).value_or(""), "ready line");
  REQUIRE(ready);
  url_ = (*ready)["url"];
  clock_ = (*ready)["clock"];
  if (options.machines) REQUIRE((*ready)["machines"].get<bool>());
  restart_house();
}

RentalStage::~RentalStage() {
  tools_.clear();
  house_.reset();
  sandbox_->finish(std::chrono::seconds(20));
}

std::map<std::string, std::string> RentalStage::environment() const {
  return {{"VAST_URL", url_},
          {"VAST_API_KEY", options_.api_key},
          {"VAST_GPU_CLOCK", clock_},
          {"VAST_GPU_KEEPER", options_.keeper ? "" : "off"},
          {"VAST_GPU_STATE", (folder_.path() / "state").string()},
          {"HOME", (folder_.path() / "home").string()},
          {"XDG_CONFIG_HOME", ""},
          {"XDG_STATE_HOME", ""},
          {"SSH_AUTH_SOCK", ""},
          {"CLAUDE_PROJECT_DIR", ""},
          {"VAST_GPU_PROJECT", project_.string()}};
}

void RentalStage::restart_house() {
  tools_.clear();
  house_.reset();
  const auto variables = environment();
  auto settings =
      HouseSettings::from_environment([variables](const char* name) -> std::optional<std::string> {
        const auto at = variables.find(name);
        return at == variables.end() || at->second.empty() ? std::nullopt : std::optional(at->second);
      });
  settings.home = folder_.path() / "home";
  settings.keeper_off =
      false;  // none is started from here, since it has no program; that is what alarms are for
  auto house = House::make(settings);
  REQUIRE(house);
  house_ = *std::move(house);
  tools_ = all_tools(*house_);
}

Deps RentalStage::deps() {
  auto opened = house_->open({});
  REQUIRE(opened);
  return *opened;
}

Result<Envelope> RentalStage::call(const std::string& name, const json& arguments, std::stop_token stop) {
  const auto tool = std::ranges::find(tools_, name, [](const Tool& t) { return t.spec.name; });
  REQUIRE(tool != tools_.end());
  CallContext context{std::move(stop), [this](double, const std::string& message) {
                        progress.push_back(message);
                        if (on_progress) on_progress(message);
                      }};
  auto answer = tool->call(arguments, context);
  if (answer)  // as an error, since a call may come from any thread
    if (const std::string trouble = answer_trouble(name, to_structured(*answer)); !trouble.empty())
      return fail({.code = Code::internal, .what = trouble});
  return answer;
}

Result<Envelope> RentalStage::call_until(const std::string& tool, const json& arguments,
                                         const std::string& meanwhile) {
  for (int turn = 0; turn < 100; ++turn) {
    auto answer = call(tool, arguments);
    if (!answer || answer->outcome != meanwhile) return answer;
  }
  return fail({.code = Code::unavailable, .what = tool + " is still " + meanwhile});
}

Result<std::string> RentalStage::quote(const json& arguments) {
  json with = {{"task", "train a small model"}, {"vram_gib", 8}, {"hours", 1}};
  with.update(arguments);
  auto options = call("provision", with);
  if (!options) return fail(std::move(options).error());
  if (options->facts["options"].empty()) return fail({.code = Code::not_found, .what = options->summary});
  return options->facts["options"][0]["quote_id"].get<std::string>();
}

Result<Envelope> RentalStage::rent(const json& provision_arguments) {
  auto id = quote(provision_arguments);
  if (!id) return fail(std::move(id).error());
  return call_until("rent", {{"quote_id", *id}, {"wait_seconds", 600}}, "booting");
}

json RentalStage::admin(const std::string& method, const std::string& path, const json& body) {
  httplib::Client client(url_);
  client.set_read_timeout(30);
  const httplib::Headers headers{{"Authorization", "Bearer sandbox-key"}};
  const auto ask = [&] {
    return method == "GET"      ? client.Get(path, headers)
           : method == "DELETE" ? client.Delete(path, headers, "{}", "application/json")
           : method == "PUT"    ? client.Put(path, headers, dump(body), "application/json")
                                : client.Post(path, headers, dump(body), "application/json");
  };
  auto answer = ask();
  // Our own side uses up the account's rate, too.
  for (int again = 0; again < 10 && answer && answer->status == 429; ++again) {
    house_->clock().sleep_for(std::chrono::seconds(5), {});
    answer = ask();
  }
  REQUIRE(answer);
  INFO(path << ": " << answer->status << " " << answer->body);
  REQUIRE(answer->status == 200);
  auto parsed = parse_json(answer->body, path);
  REQUIRE(parsed);
  return *parsed;
}

int RentalStage::creates_sent() {
  int sent = 0;
  const json now = state();
  for (const auto& [route, count] : now["requests"].items())
    if (route.starts_with("PUT /api/v0/asks")) sent += count.get<int>();
  return sent;
}

json RentalStage::instance_file() const {
  auto content = read_file(project_ / "vast-instances.json", 1 << 20);
  if (!content) return nullptr;
  auto parsed = parse_json(*content, "vast-instances.json");
  return parsed ? *parsed : json(*content);
}

}  // namespace vastgpu
