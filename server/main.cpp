// vast-gpu: the program. The only place that picks implementations.

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>

#include "core/log.h"
#include "core/text.h"
#include "sandbox/sandbox.h"
#include "server/call_command.h"
#include "server/client_command.h"
#include "server/command_line.h"
#include "server/command_model.h"
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

int install(CommandLine& line) {
  const bool remove = line.uninstall->parsed();
  const bool print = line.print->count() > 0;
  const auto house = open_house("install");
  if (!house) return 2;
  if (line.install_what != "keeper") {
    if (!line.printed.empty() || !line.keeper_options.by.empty()) {
      std::fprintf(stderr, "vast-gpu: systemd and cron are for install keeper\n");
      return 2;
    }
    line.client_options.remove = remove;
    line.client_options.print = print;
    line.client_options.dry_run = line.keeper_options.dry_run;
    return install_client(*house, line.install_what, own_program(), line.client_options);
  }
  line.keeper_options.remove = remove;
  line.keeper_options.dry_run |= print;
  if (!line.printed.empty()) line.keeper_options.by = line.printed;
  return install_keeper(*house, own_program(), line.keeper_options);
}

int run(int argc, char** argv) {
  CommandLine line;
  try {
    line.app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return line.app.exit(e);
  }
  if (line.quiet) set_log_level(LogLevel::quiet);
  if (line.call->parsed()) {
    const auto house = open_house("call", true);
    return house ? call_command(*house, line.tool, line.arguments, line.as_text) : 2;
  }
  if (line.demo->parsed()) return demo(line.demo_options);
  if (line.sandbox->parsed()) {
    line.sandbox_options.state_folder = line.sandbox_state;
    return run_sandbox(line.sandbox_options, line.leash);
  }
  if (line.keep->parsed()) {
    auto house = open_house("keep");
    return house ? keep_command(std::move(house), line.detached) : 2;
  }
  if (line.install->parsed() || line.uninstall->parsed()) return install(line);
  if (line.man->parsed() || line.completion->parsed()) {
    const CommandModel model = line.model();
    std::printf("%s",
                (line.man->parsed() ? man_page(model, VASTGPU_VERSION) : completion_script(model, line.shell))
                    .c_str());
    return 0;
  }
  if (line.ssh->parsed()) {
    const auto house = open_house("ssh");
    return house ? shell_command(*house, line.instance, line.ssh->remaining()) : 2;
  }
  if (line.tunnel->parsed()) {
    const auto house = open_house("tunnel");
    return house ? tunnel_command(*house, line.instance, line.ports) : 2;
  }
  if (line.reap->parsed()) {
    const auto house = open_house("reap");
    return house ? reap_command(*house, line.reap_options) : 2;
  }
  if (line.panic->parsed()) {
    const auto house = open_house("panic");
    return house ? panic_command(*house, line.panic_options) : 2;
  }
  if (line.doctor->parsed()) {
    set_log_level(LogLevel::quiet);
    const auto house = open_house("doctor");
    return house ? doctor(*house, own_program(), line.doctor_options) : 2;
  }
  if (line.serve->parsed() || isatty(STDIN_FILENO) == 0) return serve_stdio();
  std::printf("%s", line.app.help().c_str());
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
