#pragma once
// The program's commands and their options: one definition for parsing, help, man page and completion. One
// thread.

#include <CLI/CLI.hpp>
#include <map>
#include <string>
#include <vector>

#include "sandbox/sandbox.h"
#include "server/client_command.h"
#include "server/command_model.h"
#include "server/demo.h"
#include "server/doctor.h"
#include "server/install_command.h"
#include "server/panic_command.h"
#include "server/reap_command.h"

namespace vastgpu {

struct CommandLine {
  CommandLine();
  CommandLine(const CommandLine&) = delete;  // the parser points into it
  CommandLine& operator=(const CommandLine&) = delete;

  /// What the parser knows, for man page and completion.
  CommandModel model() const;

  CLI::App app;
  bool quiet = false;

  CLI::App *serve, *call, *demo, *sandbox, *doctor, *reap, *panic, *keep, *ssh, *tunnel, *install, *uninstall,
      *man, *completion;

  std::string tool, arguments;
  bool as_text = false;
  DemoOptions demo_options;
  SandboxOptions sandbox_options;
  std::string sandbox_state;
  bool leash = false;
  DoctorOptions doctor_options;
  ReapOptions reap_options;
  PanicOptions panic_options;
  bool detached = false;
  std::int64_t instance = 0;
  std::vector<std::string> ports;
  std::string install_what;  ///< "keeper", or a client
  InstallOptions keeper_options;
  ClientOptions client_options;
  CLI::Option* print;
  std::string printed;
  std::string shell;  ///< of completion

 private:
  CommandModel model_of(const CLI::App& app) const;
  CLI::Option* one_of(CLI::Option* option, std::vector<std::string> words);
  void add_install();
  std::map<const CLI::Option*, std::vector<std::string>> choices_;
};

}  // namespace vastgpu
