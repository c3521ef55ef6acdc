#include "server/panic_command.h"

#include <unistd.h>

#include <cstdio>

#include "core/text.h"
#include "fleet/panic.h"
#include "server/signals.h"

namespace vastgpu {
namespace {

/// One line from the terminal, at most.
std::string answer_from_terminal() {
  std::string line;
  for (char c = 0; line.size() < 100 && ::read(STDIN_FILENO, &c, 1) == 1 && c != '\n';) line += c;
  return line;
}

/// Shows what would go and asks.
bool person_agrees(const Deps& deps, const PanicOptions& options, const std::stop_token& stop) {
  auto targets = panic_targets(deps, stop);
  if (!targets) {
    std::printf("What is rented cannot be read (%s); what the ledger knows would be destroyed.\n",
                clean_line(targets.error().what, 300).c_str());
  } else {
    for (const PassLine& line : targets->ours)
      std::printf("  %s %s [%s]\n", line.instance ? to_string(*line.instance).c_str() : line.label.c_str(),
                  line.gpu.c_str(), line.whose.c_str());
    std::printf("%zu of ours; %zu others are not touched.\n", targets->ours.size(), targets->others.size());
  }
  std::printf("Destroy all of ours%s? Type yes: ", options.discard_results
                                                       ? ", with everything on them"
                                                       : ", after a short attempt to save results");
  std::fflush(stdout);
  return trim(answer_from_terminal()) == "yes";
}

int unknown(const Error& e) {
  std::fprintf(stderr, "vast-gpu: %s; %s\n", clean_line(e.what, 500).c_str(),
               clean_line(e.next_step, 300).c_str());
  return 2;
}

}  // namespace

int panic_command(Workplace& workplace, const PanicOptions& options) {
  if (!options.yes && isatty(STDIN_FILENO) == 0)
    return unknown({.what = "nothing was destroyed: nobody is there to say yes",
                    .next_step = "pass --yes, or run it on a terminal"});
  const SignalStop signals;
  auto deps = workplace.open(signals.token());
  if (!deps) return unknown(deps.error());
  if (!options.yes && !person_agrees(*deps, options, signals.token()))
    return unknown({.what = "nothing was destroyed: the answer was not yes",
                    .next_step = "run vast-gpu reap to see what is rented"});
  PanicRequest request;
  request.discard_results = options.discard_results;
  request.collect_limit =
      std::chrono::duration_cast<Duration>(std::chrono::duration<double>(options.collect_seconds));
  request.limit = request.collect_limit + std::chrono::minutes(10);
  const PassReport report = panic(*deps, request, signals.token());
  std::fputs(to_words(report).c_str(), stdout);
  return report.exit_code();
}

}  // namespace vastgpu
