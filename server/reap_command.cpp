#include "server/reap_command.h"

#include <cstdio>

#include "core/text.h"
#include "fleet/reap.h"
#include "server/signals.h"

namespace vastgpu {

int reap_command(Workplace& workplace, const ReapOptions& options) {
  const SignalStop signals;
  const auto run = [&]() -> Result<PassReport> {
    ReapRequest request;
    request.look_every = {};  // whoever asks by hand wants to know it as it is now
    if (!options.project.empty()) {
      std::error_code bad;  // a relative folder is one of the shell's working directory
      auto folder = workplace.project(std::filesystem::absolute(options.project, bad).string());
      if (!folder) return fail(std::move(folder).error());
      request.project = *std::move(folder);
    }
    auto deps = workplace.open(signals.token());
    if (!deps) return fail(std::move(deps).error());
    return reap(*deps, request, signals.token());
  };
  auto report = run();
  if (!report) {
    PassReport unknown;
    unknown.trouble =
        report.error().what + (report.error().next_step.empty() ? "" : "; " + report.error().next_step);
    report = std::move(unknown);
  }
  const std::string out = options.as_json
                              ? to_facts(*report).dump(2, ' ', false, json::error_handler_t::replace) + "\n"
                              : to_words(*report);
  std::fputs(out.c_str(), stdout);
  return report->exit_code();
}

}  // namespace vastgpu
