// The slash command people type: `/vast-gpu destroy 123`, or just what they want to train.
#include <algorithm>
#include <charconv>

#include "core/json.h"
#include "core/text.h"
#include "prompts/rules.h"

namespace vastgpu {
namespace {

/// The call to begin with, and what to do with its answer.
struct FirstStep {
  std::string tool;
  json arguments = json::object();
  std::string then;
};

constexpr const char* kOffer =
    "Show the three options it returns (cheapest, best value, fastest) as a small table: machine, estimated "
    "hours,\n"
    "estimated total, and the most it can cost. Say in a sentence what the task needs and where that was "
    "read.\n"
    "Ask which one to take, and stop there until the user has answered.";

const char* const kStory =
    "The way from wish to results:\n"
    "1. provision: what the task needs, and three priced options. Rents nothing. Show them and ask.\n"
    "2. rent with the quote_id of the chosen option: waits until the machine is up and proven.\n"
    "3. setup with the instance_id: code, dependencies, a check of the GPU.\n"
    "4. run with instance_id, command and a short experiment name: starts the job and returns at once.\n"
    "5. monitor: now and then, or when the user asks; not in a tight loop.\n"
    "6. collect: results and logs come home, with a receipt.\n"
    "7. destroy: ends the bill. Report the cost it gives, against the estimate.\n";

std::optional<std::int64_t> as_number(std::string_view word) {
  std::int64_t value = 0;
  const auto [end, bad] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (bad != std::errc{} || end != word.data() + word.size()) return std::nullopt;
  return value;
}

/// First word and rest.
std::pair<std::string, std::string> first_word(std::string_view words) {
  const std::string_view line = trim(words);
  const std::size_t space = line.find(' ');
  if (space == std::string_view::npos) return {std::string(line), ""};
  return {std::string(line.substr(0, space)), std::string(trim(line.substr(space)))};
}

FirstStep begin_with_provision(const std::string& task) {
  FirstStep step{.tool = "provision", .then = kOffer};
  if (!task.empty())
    step.arguments["task"] = task;
  else
    step.then = "It reads the plan and the configuration of this project by itself.\n" + std::string(kOffer);
  return step;
}

FirstStep rent(const std::string& rest) {
  const auto [what, more] = first_word(rest);
  if (what.empty())
    return {"provision", json::object(), "The user named no offer to rent. " + std::string(kOffer)};
  FirstStep step{
      .tool = "rent",
      .then =
          "When the machine is ready, say which limit its bill now has, then go on with setup and run if "
          "there is something to run."};
  if (const auto id = as_number(what))
    step.arguments["offer_id"] = *id;
  else
    step.arguments["quote_id"] = what;
  return step;
}

/// For the tools that take a machine first. Without one, the list tells which there are.
FirstStep on_machine(const std::string& tool, const std::string& rest, std::string then) {
  const auto [what, more] = first_word(rest);
  FirstStep step{.tool = tool, .then = std::move(then)};
  if (const auto id = as_number(what)) {
    step.arguments["instance_id"] = *id;
  } else if (!what.empty() && tool == "monitor") {
    step.arguments["experiment"] = what;
  } else {
    step = {"list", json::object(),
            "The user named no machine for " + tool +
                ". With exactly one machine of this project, go on with that one; "
                "otherwise ask which. Then: " +
                step.then};
  }
  if (!more.empty()) step.then += "\nThe user added: " + quoted_words(more) + ".";
  return step;
}

FirstStep first_step(const std::string& request) {
  auto [verb, rest] = first_word(request);
  verb = to_lower(verb);
  std::ranges::replace(verb, '_', '-');
  if (verb == "destroy" && first_word(to_lower(rest)).first == "all") verb = "destroy-all";

  if (verb == "provision") return begin_with_provision(rest);
  if (verb == "rent") return rent(rest);
  if (verb == "setup") return on_machine("setup", rest, "Then run the experiment that the user wants.");
  if (verb == "run")
    return on_machine(
        "run", rest,
        "run needs a command and a short experiment name: take both from the user's words or the plan, and "
        "call setup first if the machine has not been set up.");
  if (verb == "monitor")
    return on_machine("monitor", rest, "Report state, progress, cost so far and what is left of the lease.");
  if (verb == "collect")
    return on_machine("collect", rest, "Say what came home and whether the receipt is complete.");
  if (verb == "extend")
    return on_machine("extend", rest,
                      "extend needs hours. Show the total it adds and ask before calling it.");
  if (verb == "list" || verb == "status")
    return {"list", json::object(),
            "Show every machine with its state, its cost so far and the most it can still cost. Point out "
            "whatever bills "
            "without working."};
  if (verb == "destroy")
    return on_machine(
        "destroy", rest,
        "It collects first and refuses without a complete receipt. Report the final cost. Do not pass "
        "discard_results on your own.");
  if (verb == "destroy-all")
    return {"destroy-all", json::object(),
            "It collects from each machine first and leaves those without a complete receipt. Name each "
            "machine with its "
            "outcome, then the total cost. Do not pass discard_results on your own."};
  return begin_with_provision(request);
}

}  // namespace

Prompt vast_gpu_prompt() {
  return {.name = "vast-gpu",
          .title = "GPU machines for this project",
          .description = "Find, rent, use and end GPU machines: say what to train, or rent, list, destroy...",
          .arguments = {{.name = "request",
                         .description =
                             "What to train, or: provision, rent ID, setup ID, run ID, monitor, collect ID, "
                             "extend ID, list, destroy ID, destroy-all",
                         .suggestions = {"provision", "rent", "setup", "run", "monitor", "collect", "extend",
                                         "list", "destroy", "destroy-all"},
                         .completes = "request"}},
          .text = [](const std::map<std::string, std::string>& arguments) -> Result<std::string> {
            const auto given = arguments.find("request");
            const std::string request = given == arguments.end() ? "" : clean_line(given->second, 2000);
            const FirstStep step = first_step(request);
            std::string out = request.empty()
                                  ? "I need a GPU machine for this project.\n"
                                  : "My request about GPU machines: " + quoted_words(request) + "\n";
            out += "\nBegin with the tool " + step.tool + " of the vast-gpu server, arguments " +
                   dump(step.arguments) + ".\n" + step.then + "\n\n";
            return out + kStory + "\n" + house_rules();
          }};
}

}  // namespace vastgpu
