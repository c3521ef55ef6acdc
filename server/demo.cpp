#include "server/demo.h"

#include <unistd.h>

#include <cstdio>
#include <filesystem>

#include "core/files.h"
#include "core/text.h"
#include "server/embedded.h"
#include "server/mcp_client.h"

namespace vastgpu {
namespace {

/// The demo's folders, removed with it.
class Stage {
 public:
  explicit Stage(bool keep)
      : keep_(keep), root_(std::filesystem::temp_directory_path() / ("vast-gpu-demo-" + random_hex(4))) {
    std::filesystem::create_directories(root_ / "home");
    for (const EmbeddedFile& file : tiny_lm_files()) {
      const auto at = project() / file.path;
      if (auto written = replace_file(at, file.content); !written)
        std::fprintf(stderr, "%s\n", written.error().what.c_str());
    }
  }
  ~Stage() {
    std::error_code ignored;
    if (!keep_) std::filesystem::remove_all(root_, ignored);
  }
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

  std::filesystem::path root() const { return root_; }
  std::filesystem::path project() const { return root_ / "tiny-lm"; }

 private:
  bool keep_;
  std::filesystem::path root_;
};

std::string own_program() {
  std::error_code bad;
  return std::filesystem::read_symlink("/proc/self/exe", bad).string();
}

void say(const std::string& line) {
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}
void chapter(const std::string& title) { say("\n== " + title); }

void indent(const std::string& block) {
  for (const std::string& line : split(std::string(trim(block)), '\n')) say("   " + line);
}

/// One step of the story: a tool call, with progress lines while it waits.
class Story {
 public:
  explicit Story(McpClient client) : client_(std::move(client)) {}

  /// The structured facts, or nothing after the failure was printed.
  std::optional<json> call(const std::string& tool, const json& arguments, bool tells_progress = true) {
    std::string last;
    auto result = client_.call_tool(tool, arguments, [&](const std::string& message) {
      if (!tells_progress || message == last) return;
      last = message;
      say("   ... " + clean_line(message, 140));
    });
    if (!result) {
      say("   FAILED " + tool + ": " + result.error().what);
      return std::nullopt;
    }
    if (result->value("isError", false)) {
      say("   FAILED " + tool + ":");
      indent(text_of(*result));
      return std::nullopt;
    }
    return (*result)["structuredContent"];
  }

  /// As call, again while the outcome is `meanwhile`: what an assistant does with a tool that waits.
  std::optional<json> call_until(const std::string& tool, const json& arguments,
                                 const std::string& meanwhile) {
    for (int turn = 0; turn < 60; ++turn) {
      auto facts = call(tool, arguments);
      if (!facts || (*facts)["outcome"] != meanwhile) return facts;
    }
    say("   FAILED " + tool + ": still " + meanwhile);
    return std::nullopt;
  }

  McpClient& client() { return client_; }

 private:
  McpClient client_;
};

/// The table of options, as the tool shows it.
void print_options(const json& answer) {
  for (const std::string& line : split(answer["details"].get<std::string>(), '\n')) {
    if (line.empty()) return;
    say("   " + line);
  }
}

/// New lines of the experiment's log, as they come.
class LogView {
 public:
  void show(const json& monitor_facts) {
    for (const json& job : monitor_facts["jobs"]) {
      const auto lines = split(job["log_tail"].get<std::string>(), '\n');
      for (; shown_ < lines.size(); ++shown_)
        if (!lines[shown_].empty()) say("   | " + clean_line(lines[shown_], 120));
    }
  }

 private:
  std::size_t shown_ = 0;
};

bool tell(Story& story, const Stage& stage) {
  const std::string project = stage.project().string();
  chapter("provision: \"train this small language model\"");
  auto options = story.call("provision", {{"task", "train this small language model"}, {"project", project}});
  if (!options || (*options)["options"].empty()) return false;
  say("   " + (*options)["summary"].get<std::string>());
  print_options(*options);
  for (const json& e : (*options)["profile"]["evidence"])
    say("   - " + e["quantity"].get<std::string>() + " " +
        (e["value"].is_string() ? e["value"].get<std::string>() : e["value"].dump()) + ": " +
        e["source"].get<std::string>() + (e["guess"].get<bool>() ? " (guess)" : ""));

  chapter("rent: the person picks number 1");
  const json quote = (*options)["options"][0];
  auto rented = story.call_until(
      "rent", {{"quote_id", quote["quote_id"]}, {"project", project}, {"wait_seconds", 600}}, "booting");
  if (!rented || (*rented)["outcome"] != "ready") return false;
  say("   " + (*rented)["summary"].get<std::string>());
  const json id{{"instance_id", (*rented)["instance_id"]}};
  const auto with = [&](const json& more) {
    json arguments = id;
    arguments.update(more);
    return arguments;
  };

  chapter("setup: code, dependencies, torch");
  auto ready = story.call_until("setup", with({{"wait_seconds", 600}}), "installing");
  if (!ready || (*ready)["outcome"] != "ready") return false;
  say("   " + (*ready)["summary"].get<std::string>());

  chapter("run: python train.py, detached, in a screen session");
  auto run = story.call("run", with({{"command", "python train.py --epochs 12"}, {"experiment", "exp01"}}));
  if (!run) return false;
  say("   " + (*run)["summary"].get<std::string>());

  chapter("monitor: the log as it grows");
  LogView log;
  for (int look = 0;; ++look) {
    auto state = story.call("monitor", with({{"lines", 200}, {"wait_seconds", 30}}), false);
    if (!state || look > 400) return false;
    log.show(*state);
    if (look == 1)
      say("   (GPU: " + (*state)["gpu_now"].get<std::string>() + "; guard on the machine " +
          ((*state)["guard"]["armed"].get<bool>() ? "armed" : "NOT armed") + ")");
    const std::string outcome = (*state)["outcome"];
    if (outcome == "running" || outcome == "starting") continue;
    say("   " + (*state)["summary"].get<std::string>());
    if (outcome != "finished") return false;
    break;
  }

  chapter("destroy: results home, receipt, gone, cost report");
  auto ended = story.call_until("destroy", with({{"wait_seconds", 600}}), "destroying");
  if (!ended || (*ended)["outcome"] != "destroyed") return false;
  say("   " + (*ended)["summary"].get<std::string>());
  for (const json& file : (*ended)["receipt"]["first_files"])
    say("   receipt  " + file["sha256"].get<std::string>().substr(0, 16) + "...  " +
        bytes(file["bytes"].get<std::uint64_t>()) + "  " + file["path"].get<std::string>());
  const json& cost = (*ended)["cost"];
  say("   cost     estimated " + money(Usd{cost["usd_estimated"].get<double>()}) + ", promised at most " +
      money(Usd{cost["usd_worst_case"].get<double>()}) + ", charged " +
      (cost["usd_charged"].is_null() ? "not posted yet" : money(Usd{cost["usd_charged"].get<double>()})));

  chapter("list: is anything left?");
  auto left = story.call("list", {{"project", project}});
  if (!left) return false;
  say("   " + (*left)["summary"].get<std::string>());
  const bool home = std::filesystem::exists(stage.project() / "results" / "metrics.json") &&
                    std::filesystem::exists(stage.project() / "results" / "checkpoint.pt") &&
                    std::filesystem::exists(stage.project() / "logs" / "exp01.log");
  say(home ? "   results/metrics.json, results/checkpoint.pt and logs/exp01.log are at home"
           : "   FAILED: results are not at home");
  return home && (*left)["outcome"] == "nothing_rented";
}

}  // namespace

int demo(const DemoOptions& options) {
  const Stage stage(options.keep);
  say("vast-gpu demo: a whole rental on the sandbox, " + fixed(options.speed, 0) +
      " times faster than life.");
  const std::string program = own_program();
  auto sandbox = Child::start({program, "-q", "sandbox", "--leash", "--speed", fixed(options.speed, 3),
                               "--state", (stage.root() / "sandbox").string()},
                              {}, (stage.root() / "sandbox.log").string());
  if (!sandbox) {
    say("FAILED: " + sandbox.error().what);
    return 1;
  }
  const auto ready_line = sandbox->read_line(std::chrono::seconds(20));
  const auto ready = parse_json(ready_line.value_or(""), "the sandbox's ready line");
  if (!ready || !ready->is_object() || !ready->value("machines", false)) {
    say("FAILED: the sandbox cannot make machines here");
    if (auto log = read_file(stage.root() / "sandbox.log", 1 << 20); log) indent(*log);
    return 1;
  }
  auto server = Child::start({program, "serve"},
                             {{"VAST_URL", (*ready)["url"]},
                              {"VAST_API_KEY", (*ready)["api_key"]},
                              {"VAST_GPU_CLOCK", (*ready)["clock"]},
                              {"VAST_GPU_KEEPER", "off"},  // nothing stays behind
                              {"VAST_GPU_STATE", (stage.root() / "state").string()},
                              {"HOME", (stage.root() / "home").string()},
                              {"XDG_CONFIG_HOME", ""},
                              {"SSH_AUTH_SOCK", ""},
                              {"CLAUDE_PROJECT_DIR", ""},
                              {"VAST_GPU_PROJECT", stage.project().string()}},
                             (stage.root() / "server.log").string());
  bool well = false;
  if (server) {
    auto client = McpClient::connect(*std::move(server));
    if (client) {
      Story story(*std::move(client));
      well = tell(story, stage);
      story.client().server().finish(std::chrono::seconds(5));
    } else {
      say("FAILED: " + client.error().what);
    }
  }
  const int sandbox_status = sandbox->finish(std::chrono::seconds(20));
  if (!well)
    for (const char* name : {"server.log", "sandbox.log"})
      if (auto log = read_file(stage.root() / name, 1 << 20); log) {
        say("\n-- end of " + std::string(name));
        indent(clean(log->size() > 3000 ? log->substr(log->size() - 3000) : *log, 4000));
      }
  if (options.keep) say("\nkept: " + stage.root().string());
  say(well && sandbox_status == 0 ? "\nThe story went well; nothing is left running."
                                  : "\nThe story did NOT go well.");
  return well && sandbox_status == 0 ? 0 : 1;
}

}  // namespace vastgpu
