// vast-gpu: the program. The only place that picks implementations.

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>

#include "core/log.h"
#include "core/text.h"
#include "sandbox/sandbox.h"
#include "server/call_command.h"
#include "server/demo.h"
#include "server/doctor.h"
#include "server/house.h"
#include "server/install_command.h"
#include "server/instructions.h"
#include "server/keep_command.h"
#include "server/ledger_tasks.h"
#include "server/panic_command.h"
#include "server/reap_command.h"
#include "server/server.h"
#include "server/shell_command.h"
#include "server/signals.h"
#include "server/tunnel_command.h"
#include "tools/all_tools.h"

namespace {

using namespace vastgpu;

/// Where this program lies; empty when the system does not say.
std::string own_program() {
  std::error_code unknown;
  return std::filesystem::read_symlink("/proc/self/exe", unknown).string();
}

/// `role`: what this process is in the ledger's audit.
std::unique_ptr<House> open_house(const std::string& role, bool starts_keeper = false) {
  HouseSettings settings = HouseSettings::from_environment(process_variable);
  settings.actor = text(role, " ", ::getpid());
  if (starts_keeper) settings.program = own_program();
  auto house = House::make(std::move(settings));
  if (house) return *std::move(house);
  std::fprintf(stderr, "vast-gpu: %s; %s\n", house.error().what.c_str(), house.error().next_step.c_str());
  return nullptr;
}

int serve_stdio() {
  ServerOptions options;
  options.output = claim_stdout();
  const SignalStop signals;  // clients often skip the end of input and send SIGTERM at once
  options.stop = signals.token();
  const auto house = open_house("serve", true);
  if (!house) return 2;
  LedgerTasks tasks(ledger_of(*house));
  return serve({.tools = all_tools(*house),
                .prompts = all_prompts(),
                .resources = all_resources(*house),
                .instructions = kInstructions,
                .asking = lasting_memory(house->settings().state_folder),
                .suggest = suggest_from(*house),
                .tasks = {&tasks, tools_as_tasks()}},
               options);
}

int run(int argc, char** argv) {
  CLI::App app{"Rents GPUs on the Vast.ai marketplace for AI coding assistants, over MCP.", "vast-gpu"};
  app.set_version_flag("--version", std::string("vast-gpu ") + VASTGPU_VERSION);
  bool quiet = false;
  app.add_flag("-q,--quiet", quiet, "No log on stderr");
  app.require_subcommand(0, 1);

  auto* serving = app.add_subcommand(
      "serve", "Speak MCP on stdin and stdout (also what a bare vast-gpu does when stdin is not a terminal)");

  std::string tool, arguments;
  bool as_text = false;
  auto* calling = app.add_subcommand("call", "Call one tool: vast-gpu call list '{}'");
  calling->add_option("tool", tool, "Name of the tool")->required();
  calling->add_option("arguments", arguments, "Its arguments as a JSON object");
  calling->add_flag("--text", as_text, "Print what a person would read instead of JSON");

  DemoOptions demo_options;
  auto* demonstrating = app.add_subcommand(
      "demo", "A whole rental on the sandbox: no account, no network, nothing left running");
  demonstrating->add_option("--speed", demo_options.speed, "How many times faster than life")
      ->check(CLI::Range(1.0, 600.0))
      ->capture_default_str();
  demonstrating->add_flag("--keep", demo_options.keep, "Keep the demo's project folder");

  SandboxOptions sandbox;
  bool leash = false;
  std::string state_folder;
  auto* sandboxing = app.add_subcommand(
      "sandbox", "Run the embedded marketplace on its own, for any client of the real API");
  sandboxing->add_option("--port", sandbox.port, "Port on 127.0.0.1; 0 takes any free one")
      ->capture_default_str();
  sandboxing->add_option("--speed", sandbox.speed, "Simulated seconds per second")
      ->check(CLI::Range(0.1, 100000.0))
      ->capture_default_str();
  sandboxing->add_option("--seed", sandbox.seed, "Seed of the offers")->capture_default_str();
  sandboxing->add_option("--offers", sandbox.offers, "How many offers")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  sandboxing->add_option("--fault", sandbox.faults, "Switch a fault on: NAME or NAME=VALUE; repeatable");
  sandboxing->add_option("--api-key", sandbox.api_key, "The key that clients must send")
      ->capture_default_str();
  sandboxing->add_option("--credit", sandbox.credit, "Dollars on the account")->capture_default_str();
  sandboxing->add_flag("!--no-machines", sandbox.machines, "Serve the API without machines");
  sandboxing->add_option("--state", state_folder,
                         "Folder for its machines; default a fresh one, removed at the end");
  sandboxing->add_flag("--leash", leash, "End when stdin ends");

  auto* doctoring =
      app.add_subcommand("doctor", "Check key, credit, SSH key, folders; print the fix for what is wrong");

  ReapOptions reap_options;
  auto* reaping = app.add_subcommand(
      "reap",
      "One pass, for cron or CI: end what is over, report the rest. 0: nothing bills, 1: something "
      "does, 2: unknown");
  reaping->add_option("--project", reap_options.project, "Only rentals of this folder; default all of ours");
  reaping->add_flag("--json", reap_options.as_json, "Print JSON");

  PanicOptions panic_options;
  auto* panicking = app.add_subcommand(
      "panic", "Destroy everything of ours on the account now, and read back that it is gone");
  panicking->add_flag("--yes", panic_options.yes, "Do not ask");
  panicking->add_flag("--discard-results", panic_options.discard_results,
                      "Do not try to bring results home first");
  panicking->add_option("--collect-seconds", panic_options.collect_seconds, "How long that attempt may take")
      ->check(CLI::Range(0.0, 3600.0))
      ->capture_default_str();

  bool detached = false;
  auto* keeping = app.add_subcommand(
      "keep", "The keeper: watches, renews, collects and ends what is rented, until nothing is left");
  keeping->add_flag("--detached", detached, "As a background process of its own");

  std::int64_t instance = 0;
  std::vector<std::string> ports;
  auto* typing = app.add_subcommand(
      "ssh", "A shell on a machine, under its pinned host key: vast-gpu ssh INSTANCE [command...]");
  typing->add_option("instance", instance, "Instance id, from rent or list")->required();
  typing->prefix_command();
  auto* tunneling = app.add_subcommand(
      "tunnel",
      "Ports of a machine on this computer's localhost, until Ctrl-C: vast-gpu tunnel INSTANCE 6006");
  tunneling->add_option("instance", instance, "Instance id, from rent or list")->required();
  tunneling->add_option("ports", ports, "6006, 6006:7007 (7007 here), tensorboard, jupyter or comfyui")
      ->required();

  InstallOptions install_options;
  std::string what, printed;
  auto* installing = app.add_subcommand("install",
                                        "vast-gpu install keeper: a pass every five minutes by systemd or "
                                        "cron, also when nothing of ours runs");
  auto* uninstalling = app.add_subcommand("uninstall", "vast-gpu uninstall keeper: undoes it");
  for (auto* sub : {installing, uninstalling}) {
    sub->add_option("name", what, "keeper")->required()->check(CLI::IsMember({"keeper"}));
    sub->add_flag("--dry-run", install_options.dry_run, "Say what would be changed and where");
    sub->add_option("--with", install_options.by, "systemd or cron; default: what answers here")
        ->check(CLI::IsMember({"systemd", "cron"}));
  }
  installing->add_option("--print", printed, "As --dry-run --with")
      ->check(CLI::IsMember({"systemd", "cron"}));

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e);
  }
  if (quiet) set_log_level(LogLevel::quiet);
  if (calling->parsed()) {
    const auto house = open_house("call", true);
    return house ? call_command(*house, tool, arguments, as_text) : 2;
  }
  if (demonstrating->parsed()) return demo(demo_options);
  if (sandboxing->parsed()) {
    sandbox.state_folder = state_folder;
    return run_sandbox(sandbox, leash);
  }
  if (keeping->parsed()) {
    auto house = open_house("keep");
    return house ? keep_command(std::move(house), detached) : 2;
  }
  if (installing->parsed() || uninstalling->parsed()) {
    install_options.remove = uninstalling->parsed();
    install_options.dry_run |= !printed.empty();
    if (!printed.empty()) install_options.by = printed;
    const auto house = open_house("install");
    return house ? install_keeper(*house, own_program(), install_options) : 2;
  }
  if (typing->parsed()) {
    const auto house = open_house("ssh");
    return house ? shell_command(*house, instance, typing->remaining()) : 2;
  }
  if (tunneling->parsed()) {
    const auto house = open_house("tunnel");
    return house ? tunnel_command(*house, instance, ports) : 2;
  }
  if (reaping->parsed()) {
    const auto house = open_house("reap");
    return house ? reap_command(*house, reap_options) : 2;
  }
  if (panicking->parsed()) {
    const auto house = open_house("panic");
    return house ? panic_command(*house, panic_options) : 2;
  }
  if (doctoring->parsed()) {
    set_log_level(LogLevel::quiet);
    const auto house = open_house("doctor");
    return house ? doctor(*house) : 2;
  }
  if (serving->parsed() || isatty(STDIN_FILENO) == 0) return serve_stdio();
  std::printf("%s", app.help().c_str());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  try {
    return run(argc, argv);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "vast-gpu: %s\n", e.what());
    return 70;
  }
}
