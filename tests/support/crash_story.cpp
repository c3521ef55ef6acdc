#include "tests/support/crash_story.h"

#include <httplib.h>

#include <fstream>
#include <set>

#include "core/files.h"
#include "core/text.h"
#include "fleet/lifecycle.h"
#include "state/sqlite_ledger.h"
#include "tests/support/answer_check.h"

namespace vastgpu {
namespace {

namespace fs = std::filesystem;

constexpr int kKilled = 128 + 9;
constexpr double kBudget = 5.0;
constexpr auto kAnswerLimit = std::chrono::seconds(60);  // real; only ends a test that hangs
constexpr std::int64_t kForeign = 4711;                  // an entry of somebody else in the instance file

[[noreturn]] void trouble(const std::string& what) { throw CrashTrouble(what); }

template <class T>
T need(Result<T> result, const std::string& what) {
  if (!result) trouble(what + ": " + result.error().what);
  return *std::move(result);
}

std::vector<std::string> lines_of(const fs::path& file) {
  std::vector<std::string> lines;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

std::string first_quote(const std::string& id) { return id.substr(0, id.find('.')); }

}  // namespace

struct CrashStory::Books {
  json truth;
  std::unique_ptr<Ledger> ledger;  // null: there is none yet
  std::vector<Rental> rentals;
};

CrashStory::CrashStory(const CrashOptions& options, DeathPlan deaths, bool whole)
    : options_(options), deaths_(std::move(deaths)), whole_(whole) {
  project_ = folder_.path() / "project";
  folder_.write("project/CLAUDE.md", "# Project\n\n## Vast.ai\n- gpu: vast\n- max_budget: 5.00\n");
  folder_.write("project/train.py", "print('trained')\n");
  folder_.write("project/requirements.txt", "numpy\n");
  folder_.write("project/vast-instances.json",
                json::array({{{"instance_id", kForeign}, {"status", "running"}, {"theirs", true}}}).dump(2));
  fs::create_directories(folder_.path() / "home");
  std::vector<std::string> arguments{options.program, "-q", "sandbox", "--leash"};
  for (const std::string& more :
       {std::string("--speed"), std::to_string(options.speed), std::string("--state"),
        (folder_.path() / "sandbox").string(), std::string("--fault"), std::string("rate-limit=off")})
    arguments.push_back(more);
  if (!options.machines) arguments.emplace_back("--no-machines");
  for (const std::string& fault : options.faults) {
    arguments.emplace_back("--fault");
    arguments.push_back(fault);
  }
  sandbox_ = std::make_unique<Child>(
      need(Child::start(arguments, {}, (folder_.path() / "sandbox.log").string()), "the sandbox"));
  const json ready =
      need(parse_json(sandbox_->read_line(std::chrono::seconds(30)).value_or(""), "ready line"), "sandbox");
  url_ = ready["url"];
  clock_text_ = ready["clock"];
  clock_ = std::make_unique<ScaledClock>(need(ScaledClock::parse(clock_text_), "clock"));
}

CrashStory::~CrashStory() {
  server_.reset();
  if (sandbox_) sandbox_->finish(std::chrono::seconds(20));
}

/// With what the next process needs to know about its death.
std::map<std::string, std::string> CrashStory::environment_of_next() {
  const Deaths& deaths = deaths_[phase_];  // of no phase: none
  last_log_ = (folder_.path() / text("points-", processes_, "-", copies_++)).string();
  return {{"VAST_URL", url_},
          {"VAST_API_KEY", "sandbox-key"},
          {"VAST_GPU_CLOCK", clock_text_},
          {"VAST_GPU_STATE", state_folder().string()},
          {"VAST_GPU_KEEPER", "off"},  // stories about the keeper start it themselves
          {"HOME", (folder_.path() / "home").string()},
          {"XDG_CONFIG_HOME", ""},
          {"XDG_STATE_HOME", ""},
          {"SSH_AUTH_SOCK", ""},
          {"CLAUDE_PROJECT_DIR", ""},
          {"VAST_GPU_PROJECT", project_.string()},
          {"VAST_GPU_CRASH_AT", processes_ == 0   ? deaths.first
                                : processes_ == 1 ? deaths.second
                                                  : ""},
          {"VAST_GPU_CRASH_LOG", last_log_}};
}

void CrashStory::sleep_for(Duration simulated) { clock_->sleep_for(simulated, {}); }

json CrashStory::admin(const std::string& method, const std::string& path, const json& body) {
  httplib::Client client(url_);
  client.set_read_timeout(30);
  const httplib::Headers headers{{"Authorization", "Bearer sandbox-key"}};
  auto answer = method == "GET" ? client.Get(path, headers)
                                : client.Post(path, headers, dump(body), "application/json");
  if (!answer || answer->status != 200) trouble(path + " of the sandbox does not answer");
  return need(parse_json(answer->body, path), path);
}

void CrashStory::phase(const std::string& name, const std::function<void()>& play) {
  stop_server();  // what the story did so far was not to die
  phase_ = name;
  processes_ = 0;
  ends_[name];
  try {
    play();
    stop_server();
  } catch (const CrashTrouble& e) {
    server_.reset();
    const PhaseEnd& end = ends_[name];
    trouble("phase " + name + (end.died ? ", dead at " + end.points.back() : "") +
            (end.died_twice ? " and again" : "") + ": " + e.what());
  }
  phase_.clear();
}

void CrashStory::side_phase(const std::string& name, const std::function<void()>& play) {
  if (whole_ || deaths_.contains(name)) phase(name, play);
}

void CrashStory::start_server() {
  const auto environment = environment_of_next();
  server_ = std::make_unique<Child>(
      need(Child::start({options_.crashing, "serve"}, environment, (folder_.path() / "server.log").string()),
           "the server"));
}

bool CrashStory::note_process_end(int status) {
  const bool died = status == kKilled;
  if (!phase_.empty()) {
    PhaseEnd& end = ends_[phase_];
    if (processes_ == 0) {
      end.points = lines_of(last_log_);
      end.died = died;
    } else if (processes_ == 1) {
      end.died_twice = died;
    }
    if (died) ++processes_;
  }
  if (died) check_now("after its death", false);
  return died;
}

void CrashStory::stop_server() {
  if (!server_) return;
  const auto said_more = [&] {
    while (const auto line = server_->read_line(std::chrono::milliseconds(0)))
      if (const auto message = parse_json(*line, "line"); message && message->contains("id")) return true;
    return false;
  };
  const bool twice = said_more();
  const int status = server_->finish(std::chrono::seconds(20));
  server_.reset();
  if (twice) trouble("a request was answered twice");
  if (!note_process_end(status) && status != 0) trouble("the server ended with " + std::to_string(status));
}

/// The answer to one request, or nothing because the server died.
std::optional<json> CrashStory::answer(const json& request) {
  if (!server_) start_server();
  const bool listens = server_->write_line(dump(request)).has_value();
  while (listens) {
    const auto line = server_->read_line(kAnswerLimit);
    if (!line) break;
    const json message = need(parse_json(*line, "a line of stdout"), "protocol");
    if (!message.contains("id") || message.contains("method")) continue;
    if (message["id"] != request["id"]) trouble("an answer that nobody waits for: " + *line);
    return message;
  }
  const int status = server_->finish(std::chrono::milliseconds(500));
  server_.reset();
  if (!note_process_end(status))
    trouble("no answer to " + request["params"].dump() + ", exit status " + std::to_string(status));
  return std::nullopt;
}

json CrashStory::try_to(const std::string& tool, const json& arguments) {
  for (bool again = false;; again = true) {
    const json request{{"jsonrpc", "2.0"},
                       {"id", ++next_id_},
                       {"method", "tools/call"},
                       {"params",
                        {{"name", tool},
                         {"arguments", arguments},
                         {"_meta",
                          {{"io.modelcontextprotocol/protocolVersion", "2026-07-28"},
                           {"io.modelcontextprotocol/clientCapabilities", json::object()}}}}}};
    const auto message = answer(request);
    if (!message) continue;
    if (!message->contains("result")) trouble(tool + ": " + message->dump());
    const json& result = (*message)["result"];
    const bool failed = result.value("isError", false);
    const json content = failed ? json{{"error", result["content"][0]["text"]}} : result["structuredContent"];
    if (!failed)
      if (const std::string wrong = answer_trouble(tool, content); !wrong.empty()) trouble(wrong);
    if (again)
      check_now("after the first answer of the next process", !failed && content["outcome"] != "unsettled");
    return content;
  }
}

json CrashStory::ask(const std::string& tool, const json& arguments) {
  json content = try_to(tool, arguments);
  if (content.contains("error")) trouble(tool + ": " + content["error"].get<std::string>());
  return content;
}

json CrashStory::ask_while(const std::string& tool, const json& arguments,
                           const std::vector<std::string>& meanwhile) {
  for (int turn = 0; turn < 60; ++turn) {
    json content = ask(tool, arguments);
    if (std::ranges::find(meanwhile, content["outcome"].get<std::string>()) == meanwhile.end())
      return content;
  }
  trouble(tool + " never came to an end");
}

json CrashStory::rent(const json& wish, const std::string& wanted, double wait_seconds) {
  std::string quote;
  json with = {{"task", "train a small model"}, {"vram_gib", 8}, {"hours", 1}, {"lease_hours", 8}};
  with.update(wish);
  for (int turn = 0; turn < 60; ++turn) {
    if (quote.empty()) quote = ask("provision", with)["options"][0]["quote_id"];
    json content = try_to("rent", {{"quote_id", quote}, {"wait_seconds", wait_seconds}});
    if (!content.contains("error") && (wanted.empty() || content["outcome"] == wanted)) return content;
    if (!content.contains("error")) continue;
    const std::string why = content["error"];
    // Nothing was rented, and the quote rents nothing more: an assistant asks for another one.
    const bool used_up = why.find("expired") != std::string::npos ||
                         why.find("never confirmed") != std::string::npos ||
                         why.find("no machine of this quote could be rented") != std::string::npos;
    if (!used_up && why.find("is not settled yet") == std::string::npos) trouble("rent: " + why);
    if (used_up) quote.clear();
    sleep_for(std::chrono::seconds(20));
  }
  trouble("rent never came to an end");
}

CrashStory::Said CrashStory::command(const std::vector<std::string>& arguments) {
  for (;;) {
    const auto environment = environment_of_next();
    std::vector<std::string> whole{options_.crashing, "-q"};
    whole.insert(whole.end(), arguments.begin(), arguments.end());
    Child child =
        need(Child::start(whole, environment, (folder_.path() / "command.log").string()), arguments[0]);
    Said said;
    while (const auto line = child.read_line(kAnswerLimit)) said.text += *line + "\n";
    said.code = child.finish(std::chrono::seconds(5));
    const bool first = processes_ == 0;
    if (note_process_end(said.code)) continue;
    if (!first) check_now("after the next process", said.code != 2);
    return said;
  }
}

void CrashStory::pass_until(const std::vector<std::string>& arguments, int code, Duration apart) {
  Said said;
  for (int turn = 0; turn < 20; ++turn) {
    said = command(arguments);
    if (said.code == code) return;
    sleep_for(apart);
  }
  trouble(text(arguments[0], " never answered ", code, ", but ", said.code, ": ", said.text));
}

fs::path CrashStory::ledger_file() const {
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(state_folder(), none))
    if (entry.path().extension() == ".sqlite" && fs::file_size(entry.path()) > 0) return entry.path();
  return {};
}

/// A copy, so that the next process finds what the death left and not what our own opening made of it.
std::unique_ptr<Ledger> CrashStory::copy_of_ledger() {
  const fs::path file = ledger_file();
  if (file.empty()) return nullptr;
  const fs::path copy = folder_.path() / text("ledger-copy-", copies_++);
  fs::create_directories(copy);
  for (const char* part : {"", "-wal"})
    if (std::error_code none; fs::exists(file.string() + part, none))
      fs::copy_file(file.string() + part, copy / (file.filename().string() + part));
  return need(SqliteLedger::open(copy / file.filename(), "test"), "the ledger after a death");
}

void CrashStory::end_lease(const json& id) {
  const auto ledger = need(SqliteLedger::open(ledger_file(), "test"), "the ledger");
  for (const Rental& r : need(ledger->rentals(true), "rentals"))
    if (id.is_null() || (r.instance && id == r.instance->value))
      need(ledger->shorten_lease(r.label, now()).map([] { return 0; }), "ending the lease");
}

void CrashStory::lose_ledger() {
  fs::remove_all(state_folder());
  lost_ledger_ = true;
}

int CrashStory::contracts() { return static_cast<int>(admin("GET", "/admin/state")["contracts"].size()); }

CrashStory::Books CrashStory::books() {
  Books b{admin("GET", "/admin/state"), nullptr, {}};
  b.ledger = copy_of_ledger();
  if (b.ledger) b.rentals = need(b.ledger->rentals(false), "rentals");
  return b;
}

void CrashStory::check_now(const std::string& when, bool settled) {
  const Books b = books();
  const auto broken = [&](const std::string& what) { trouble(when + ": " + what); };
  std::map<std::string, int> by_label;
  std::map<std::string, std::vector<std::pair<double, double>>> by_quote;
  for (const json& c : b.truth["contracts"]) {
    const std::string label = c["label"].is_string() ? c["label"].get<std::string>() : "";
    const std::string id = c["id"].dump();
    const auto r = std::ranges::find(b.rentals, label, &Rental::label);
    if (r == b.rentals.end()) {
      if (lost_ledger_) continue;
      broken("contract " + id + " has no intent in the ledger");
    }
    if (++by_label[label] > 1) broken("two contracts of one intent, " + label);
    if (r->instance && r->instance->value != c["id"].get<std::int64_t>())
      broken("the ledger has another contract for " + label);
    if (settled && c["alive"] == true && !r->instance) broken("contract " + id + " is not known by its id");
    if (c["alive"] == true && !may_bill(r->status)) broken("contract " + id + " lives and is written off");
    const double born = c["created"], gone = c["alive"] == true ? 1e18 : c["gone_at"].get<double>();
    for (const auto& [from, to] : by_quote[first_quote(r->quote_id)])
      if (born < to && from < gone) broken("two contracts of one quote at one time, " + r->quote_id);
    by_quote[first_quote(r->quote_id)].push_back({born, gone});
    if (c["billed"]["total"].get<double>() > r->worst_case.value + 1e-6 && !r->adopted)
      broken(text("contract ", id, " was billed ", c["billed"]["total"].get<double>(), ", shown were ",
                  r->worst_case.value));
    if (c["alive"] == false && r->ready && !r->adopted) {
      const auto receipt = need(b.ledger->last_receipt(label), "receipt");
      const auto events = need(b.ledger->events(label), "events");
      const bool discarded =
          std::ranges::any_of(events, [](const LedgerEvent& e) { return e.kind == "discard"; });
      if (!discarded && !(receipt && receipt->value("complete", false)))
        broken("contract " + id + " was destroyed without receipt or discard");
      if (std::ranges::none_of(events, [](const LedgerEvent& e) { return e.kind == "destroy"; }))
        broken("contract " + id + " was destroyed without an event");
    }
  }
  int creates = 0;
  for (const auto& [route, count] : b.truth["requests"].items())
    if (route.starts_with("PUT /api/v0/asks")) creates += count.get<int>();
  if (!lost_ledger_ && creates > static_cast<int>(b.rentals.size()))
    broken(text(creates, " creates were sent for ", b.rentals.size(), " intents"));
  double open = 0;
  for (const Rental& r : b.rentals)
    if (may_bill(r.status) && !r.adopted) open += r.worst_case.value;
  if (open > kBudget + 1e-9) broken(text("the worst cases sum to ", open));

  const json file =
      need(parse_json(need(read_file(project_ / "vast-instances.json", 1 << 20), "file"), "file"),
           "the instance file after a death");
  if (!file.is_array() || file.dump().find("sandbox-key") != std::string::npos)
    broken("the instance file is not what it should be");
  std::set<std::int64_t> seen;
  for (const json& entry : file) {
    const std::int64_t id = entry["instance_id"];
    if (!seen.insert(id).second) broken("the instance file has an entry twice");
    if (id == kForeign) continue;
    const auto r =
        std::ranges::find_if(b.rentals, [&](const Rental& x) { return x.instance == InstanceId{id}; });
    if (r == b.rentals.end() && !lost_ledger_) broken("the instance file has an unknown instance");
    if (entry["status"] == "destroyed")
      for (const json& c : b.truth["contracts"])
        if (c["id"] == id && c["alive"] == true) broken("the instance file says destroyed too early");
  }
  if (!seen.contains(kForeign)) broken("the instance file lost the entry of somebody else");
}

void CrashStory::check_end() {
  check_now("at the end", true);
  const Books b = books();
  if (b.truth["live_contracts"] != 0 || b.truth["billing_contracts"] != 0) {
    std::string what;
    for (const Rental& r : b.rentals)
      what += text(" ", r.label, " of ", r.quote_id, " is ", to_string(r.status), " (", r.note, ");");
    trouble("something still bills:" + what);
  }
  for (const Rental& r : b.rentals)
    if (may_bill(r.status)) trouble("the ledger ends with " + r.label + " " + to_string(r.status));
  const json file =
      need(parse_json(need(read_file(project_ / "vast-instances.json", 1 << 20), "file"), "file"),
           "the instance file");
  for (const Rental& r : b.rentals) {
    // One that was found again after the ledger was lost belongs to no project that is known.
    if (!r.ready || r.adopted || r.project != project_.string()) continue;
    const auto entry =
        std::ranges::find_if(file, [&](const json& e) { return e["instance_id"] == r.instance->value; });
    if (entry == file.end()) trouble("the instance file never had " + r.label);
    if ((*entry)["status"] != "destroyed")
      trouble("the instance file ends with " + (*entry)["status"].dump() + " for a destroyed rental");
  }
}

void CrashStory::check_listed(const json& id, const std::string& field, const std::string& value) {
  const json file =
      need(parse_json(need(read_file(project_ / "vast-instances.json", 1 << 20), "file"), "file"),
           "the instance file");
  for (const json& entry : file)
    if (entry["instance_id"] == id) {
      if (entry[field] != value) trouble("the instance file has " + field + " " + entry[field].dump());
      return;
    }
  trouble("the instance file does not have instance " + id.dump());
}

void CrashStory::check_file(const std::string& relative, const std::string& content) {
  auto here = read_file(project_ / relative, 1 << 22);
  if (!here) trouble(relative + " did not come home");
  if (*here != content) trouble(relative + " is not what the machine had");
}

}  // namespace vastgpu
