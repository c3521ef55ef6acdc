// The server that the public conformance suite talks to: our protocol engine with the suite's own tools.

#include "core/log.h"
#include "tests/conformance/fixture_tools.h"

int main() {
  using namespace vastgpu;
  set_log_level(LogLevel::quiet);
  ServerOptions options;
  options.output = claim_stdout();
  ServerParts parts;
  parts.tools = conformance_tools();
  for (Tool& tool : conformance_asking_tools()) parts.tools.push_back(std::move(tool));
  for (Tool& tool : conformance_task_tools()) parts.tools.push_back(std::move(tool));
  parts.tasks = conformance_tasks();
  parts.prompts = conformance_prompts();
  parts.resources = conformance_resources();
  parts.instructions = "A fixture for the public conformance suite.";
  parts.modern_logging = true;
  return serve(parts, options);
}
