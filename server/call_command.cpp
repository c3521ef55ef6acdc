#include "server/call_command.h"

#include <cstdio>

#include "core/log.h"
#include "server/signals.h"
#include "tools/all_tools.h"

namespace vastgpu {
int call_command(Workplace& workplace, const std::string& name, const std::string& arguments, bool as_text) {
  const auto tools = all_tools(workplace);
  const auto tool = std::ranges::find(tools, name, [](const Tool& t) { return t.spec.name; });
  if (tool == tools.end()) {
    std::string names;
    for (const Tool& t : tools) names += " " + t.spec.name;
    std::fprintf(stderr, "there is no tool %s; the tools are:%s\n", name.c_str(), names.c_str());
    return 2;
  }
  const auto parsed = parse_json(arguments.empty() ? "{}" : arguments, "the arguments");
  if (!parsed || !parsed->is_object()) {
    std::fprintf(stderr,
                 "the arguments are not a JSON object with finite numbers, e.g. '{\"instance_id\": 123}'\n");
    return 2;
  }
  if (parsed->contains("ports")) {  // they would close as the answer is printed
    std::fprintf(stderr,
                 "ports stay open only as long as this program runs: use vast-gpu tunnel INSTANCE PORT...\n");
    return 2;
  }
  const SignalStop signals;
  CallContext call{signals.token(),
                   [](double, const std::string& message) { log_line(LogLevel::facts, message); }};
  const auto result = tool->call(*parsed, call);
  const std::string out =
      result    ? (as_text ? to_text(*result)
                           : to_structured(*result).dump(2, ' ', false, json::error_handler_t::replace))
      : as_text ? to_text(result.error())
                : json{{"error",
                        {{"code", to_string(result.error().code)},
                         {"what", result.error().what},
                         {"next_step", result.error().next_step},
                         {"effect", result.error().effect == Effect::none      ? "none"
                                    : result.error().effect == Effect::unknown ? "unknown"
                                                                               : "happened"}}}}
                      .dump(2, ' ', false, json::error_handler_t::replace);
  std::printf("%s\n", out.c_str());
  return result ? 0 : 1;
}

}  // namespace vastgpu
