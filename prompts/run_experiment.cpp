// From "run this" to a job that runs, on a machine that is there or on a new one.
#include "prompts/rules.h"

namespace vastgpu {

Prompt run_experiment_prompt() {
  return {
      .name = "run-experiment",
      .title = "Run an experiment",
      .description = "Run an experiment of this project on a rented GPU: reuse a machine or offer new ones",
      .arguments =
          {{.name = "experiment",
            .description =
                "Which one: a name from the plan, or the command itself. Empty: the next in the plan",
            .completes = "experiment"}},
      .text = [](const std::map<std::string, std::string>& arguments) -> Result<std::string> {
        const auto given = arguments.find("experiment");
        const bool named = given != arguments.end() && !given->second.empty();
        return (named ? "Run this experiment on a rented GPU: " + quoted_words(given->second) + "\n"
                      : std::string("Run the next experiment of this project's plan on a rented GPU.\n")) +
               "\n"
               "1. Find the exact command and a short name for it (letters, digits, _ and -). If the project "
               "does not\n"
               "   settle the command, ask me for it; guess nothing that costs money.\n"
               "2. Call list. A ready machine of this project without a running job, with enough memory and "
               "lease for\n"
               "   this, is reused: go to step 5.\n"
               "3. Otherwise call provision with the task in words. Show me its three options with their "
               "totals and the\n"
               "   most each can cost, and wait for my choice.\n"
               "4. Call rent with the quote_id I chose.\n"
               "5. Call setup with the instance_id; repeating it is harmless and sends only what changed.\n"
               "6. Call run with instance_id, command and experiment. Leave auto_destroy as it is, unless I "
               "asked to\n"
               "   keep the machine: results then come home and the machine ends by itself when the job "
               "succeeds.\n"
               "7. Call monitor once to see the first lines of the log. If the job died, show the error and "
               "propose a\n"
               "   correction; do not start it again unasked more than once.\n"
               "8. Tell me: what runs where, when it should be done, the estimated total and the most it can "
               "cost.\n"
               "\n" +
               house_rules();
      }};
}

}  // namespace vastgpu
