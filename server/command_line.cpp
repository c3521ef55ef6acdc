#include "server/command_line.h"

#include "clients/client_table.h"

namespace vastgpu {

CommandLine::CommandLine()
    : app("Rents GPUs on the Vast.ai marketplace for AI coding assistants, over MCP.", "vast-gpu") {
  app.set_version_flag("--version", std::string("vast-gpu ") + VASTGPU_VERSION, "Print the version and exit");
  app.add_flag("-q,--quiet", quiet, "No log on stderr");
  app.require_subcommand(0, 1);

  serve = app.add_subcommand(
      "serve", "Speak MCP on stdin and stdout (also what a bare vast-gpu does when stdin is not a terminal)");

  call = app.add_subcommand("call", "Call one tool: vast-gpu call list '{}'");
  call->add_option("tool", tool, "Name of the tool")->required();
  call->add_option("arguments", arguments, "Its arguments as a JSON object");
  call->add_flag("--text", as_text, "Print what a person would read instead of JSON");

  demo = app.add_subcommand("demo",
                            "A whole rental on the sandbox: no account, no network, nothing left running");
  demo->add_option("--speed", demo_options.speed, "How many times faster than life")
      ->check(CLI::Range(1.0, 600.0))
      ->capture_default_str();
  demo->add_flag("--keep", demo_options.keep, "Keep the demo's project folder");

  sandbox = app.add_subcommand("sandbox",
                               "Run the embedded marketplace on its own, for any client of the real API");
  sandbox->add_option("--port", sandbox_options.port, "Port on 127.0.0.1; 0 takes any free one")
      ->capture_default_str();
  sandbox->add_option("--speed", sandbox_options.speed, "Simulated seconds per second")
      ->check(CLI::Range(0.1, 100000.0))
      ->capture_default_str();
  sandbox->add_option("--seed", sandbox_options.seed, "Seed of the offers")->capture_default_str();
  sandbox->add_option("--offers", sandbox_options.offers, "How many offers")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  sandbox->add_option("--fault", sandbox_options.faults, "Switch a fault on: NAME or NAME=VALUE; repeatable");
  sandbox->add_option("--api-key", sandbox_options.api_key, "The key that clients must send")
      ->capture_default_str();
  sandbox->add_option("--credit", sandbox_options.credit, "Dollars on the account")->capture_default_str();
  sandbox->add_flag("!--no-machines", sandbox_options.machines, "Serve the API without machines");
  sandbox->add_option("--state", sandbox_state,
                      "Folder for its machines; default a fresh one, removed at the end");
  sandbox->add_flag("--leash", leash, "End when stdin ends");

  doctor = app.add_subcommand(
      "doctor",
      "Check key, credit, SSH key, clock, network, folders, keeper and clients; print the fix for what is "
      "wrong. 0: all is well, 1: something is not");
  doctor->add_flag("--json", doctor_options.as_json, "Print JSON");

  reap = app.add_subcommand(
      "reap",
      "One pass, for cron or CI: end what is over, report the rest. 0: nothing bills, 1: something "
      "does, 2: unknown");
  reap->add_option("--project", reap_options.project, "Only rentals of this folder; default all of ours");
  reap->add_flag("--json", reap_options.as_json, "Print JSON");

  panic = app.add_subcommand("panic",
                             "Destroy everything of ours on the account now, and read back that it is gone");
  panic->add_flag("--yes", panic_options.yes, "Do not ask");
  panic->add_flag("--discard-results", panic_options.discard_results,
                  "Do not try to bring results home first");
  panic->add_option("--collect-seconds", panic_options.collect_seconds, "How long that attempt may take")
      ->check(CLI::Range(0.0, 3600.0))
      ->capture_default_str();

  keep = app.add_subcommand(
      "keep", "The keeper: watches, renews, collects and ends what is rented, until nothing is left");
  keep->add_flag("--detached", detached, "As a background process of its own");

  ssh = app.add_subcommand(
      "ssh", "A shell on a machine, under its pinned host key: vast-gpu ssh INSTANCE [command...]");
  ssh->add_option("instance", instance, "Instance id, from rent or list")->required();
  ssh->prefix_command();
  tunnel = app.add_subcommand(
      "tunnel",
      "Ports of a machine on this computer's localhost, until Ctrl-C: vast-gpu tunnel INSTANCE 6006");
  tunnel->add_option("instance", instance, "Instance id, from rent or list")->required();
  tunnel->add_option("ports", ports, "6006, 6006:7007 (7007 here), tensorboard, jupyter or comfyui")
      ->required();

  add_install();

  man = app.add_subcommand("man", "Print the man page: vast-gpu man | man -l -");
  completion = app.add_subcommand("completion", "Print completion for a shell: vast-gpu completion bash");
  one_of(completion->add_option("shell", shell, "The shell")->required(), {"bash", "zsh", "fish"});
}

void CommandLine::add_install() {
  std::vector<std::string> names{"keeper"};
  for (const KnownClient& client : known_clients()) names.push_back(client.name);
  install = app.add_subcommand(
      "install",
      "Make this program known to an MCP client, in that client's own configuration; or keeper: a pass every "
      "five minutes by systemd or cron, also when nothing of ours runs");
  uninstall = app.add_subcommand("uninstall", "Undo install: only what is ours goes");
  for (auto* sub : {install, uninstall}) {
    one_of(sub->add_option("name", install_what, "An MCP client, or keeper")->required(), names);
    sub->add_flag("--dry-run", keeper_options.dry_run, "Say what would be changed and where");
    one_of(
        sub->add_option("--with", keeper_options.by, "keeper: systemd or cron; default: what answers here"),
        {"systemd", "cron"});
    sub->add_flag("--project", client_options.in_project,
                  "A client: the project's configuration instead of the user's");
    sub->add_flag("--force", client_options.force,
                  "A client: also where an entry of our name is somebody else's");
  }
  // Bare for a client, with a word for the keeper.
  print = install
              ->add_option("--print", printed,
                           "A client: print the entry and change nothing; keeper: as --dry-run --with")
              ->expected(0, 1);
  choices_[print] = {"systemd", "cron"};
}

CLI::Option* CommandLine::one_of(CLI::Option* option, std::vector<std::string> words) {
  option->check(CLI::IsMember(words));
  choices_[option] = std::move(words);
  return option;
}

CommandModel CommandLine::model() const { return model_of(app); }

CommandModel CommandLine::model_of(const CLI::App& from) const {
  CommandModel model{from.get_name(), from.get_description(), {}, {}};
  for (const CLI::Option* option : from.get_options()) {
    OptionModel o;
    for (const std::string& name : option->get_snames()) o.names.push_back("-" + name);
    for (const std::string& name : option->get_lnames()) o.names.push_back("--" + name);
    o.description = option->get_description();
    o.required = option->get_required();
    o.many = option->get_expected_max() > 1;
    if (const auto found = choices_.find(option); found != choices_.end()) o.choices = found->second;
    if (option->get_positional())
      o.value = option->get_name(true);
    else if (option->get_type_size_max() != 0)
      o.value =
          option->get_type_name().substr(0, option->get_type_name().find_first_of(": "));  // less its checks
    for (char& c : o.value) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    model.options.push_back(std::move(o));
  }
  for (const CLI::App* sub : from.get_subcommands([](const CLI::App*) { return true; }))
    model.commands.push_back(model_of(*sub));
  return model;
}

}  // namespace vastgpu
