// A look at what runs, without touching it.
#include "prompts/rules.h"

namespace vastgpu {

Prompt monitor_experiment_prompt() {
  return {.name = "monitor-experiment",
          .title = "Watch an experiment",
          .description = "How the running experiments stand: progress, health, cost so far, time left",
          .arguments = {{.name = "experiment",
                         .description = "Its name, or a machine's id. Empty: all that run",
                         .completes = "experiment_or_instance"}},
          .text = [](const std::map<std::string, std::string>& arguments) -> Result<std::string> {
            const auto given = arguments.find("experiment");
            const bool named = given != arguments.end() && !given->second.empty();
            return (named ? "How does this experiment stand: " + quoted_words(given->second) + "?\n"
                          : std::string("How do the running experiments of this project stand?\n")) +
                   "\n"
                   "1. " +
                   (named ? "Call monitor for it: a number is an instance_id, a word is an experiment.\n"
                          : "Call list, then monitor for each machine with a job.\n") +
                   "2. Report for each: state; the newest numbers that matter in the log (step, loss, "
                   "metric) with when\n"
                   "   they were written; GPU and disk; cost so far, estimate, and the most it can cost; "
                   "what is left of the\n"
                   "   lease and which guards watch it.\n"
                   "3. Say plainly when something is off: a loss that is not a number or no longer moves, a "
                   "GPU that idles,\n"
                   "   a silent log, a disk nearly full, a lease that ends before the job. Name the one call "
                   "that would\n"
                   "   help, with its cost, and ask. An extension is charged in full, in advance.\n"
                   "4. If a job has finished, call collect, and say whether the receipt is complete. A "
                   "machine that ends by\n"
                   "   itself needs nothing more; for another one, propose destroy.\n"
                   "\n" +
                   house_rules();
          }};
}

}  // namespace vastgpu
