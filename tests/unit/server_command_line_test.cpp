// One definition of the commands: what is printed from it holds all of it.

#include "clients/client_table.h"
#include "server/command_line.h"
#include "tests/support/catch.h"

using namespace vastgpu;

TEST_CASE("man page and completion know every command, option and client") {
  const CommandLine line;
  const CommandModel model = line.model();
  CHECK(model.commands.size() >= 14);
  const std::string page = man_page(model, "1.2.3");
  CHECK(page.find(" in [") == std::string::npos);  // how the parser checks a value is not its name
  CHECK(page.starts_with(".TH vast\\-gpu 1 \"\" \"vast\\-gpu 1.2.3\""));
  for (const char* shell : {"bash", "zsh", "fish"}) {
    const std::string script = completion_script(model, shell);
    for (const CommandModel& command : model.commands) {
      INFO(shell << " " << command.name);
      CHECK(script.find(command.name) != std::string::npos);
      CHECK(page.find("vast\\-gpu " + command.name) != std::string::npos);
      for (const OptionModel& o : command.options)
        for (const std::string& name : o.names)
          CHECK(script.find(name.substr(name.find_first_not_of('-'))) != std::string::npos);
    }
    for (const KnownClient& client : known_clients()) CHECK(script.find(client.name) != std::string::npos);
  }
}

TEST_CASE("options of install are read as they are written") {
  const auto parsed = [](std::vector<std::string> words) {
    auto line = std::make_unique<CommandLine>();
    std::reverse(words.begin(), words.end());
    line->app.parse(words);
    return line;
  };
  CHECK(parsed({"install", "keeper", "--print", "cron"})->printed == "cron");
  const auto bare = parsed({"install", "cursor", "--print"});
  CHECK(bare->print->count() == 1);
  CHECK(bare->printed.empty());
  CHECK(parsed({"uninstall", "zed", "--project", "--force"})->client_options.force);
  CHECK_THROWS_AS(parsed({"install", "emacs"}), CLI::ParseError);
  CHECK_THROWS_AS(parsed({"install", "keeper", "--with", "launchd"}), CLI::ParseError);
}
