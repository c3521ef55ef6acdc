// What happened overnight, for somebody who has just sat down.
#include "prompts/rules.h"

namespace vastgpu {

Prompt morning_report_prompt() {
  return {
      .name = "morning-report",
      .title = "Morning report",
      .description = "What ran overnight, what came home, what it cost, and what still bills",
      .arguments = {},
      .text = [](const std::map<std::string, std::string>&) -> Result<std::string> {
        return "Tell me what happened with this project's GPU machines since I left.\n"
               "\n"
               "1. Call list. For every machine with a job call monitor once, with wait_seconds 0.\n"
               "2. Read what has come home under results/ and logs/ in this project.\n"
               "3. Write at most a page, the most important first:\n"
               "   - what still bills right now, at what total, and whether it is working for that money;\n"
               "   - what finished, with its main numbers and the file each number is from;\n"
               "   - what failed, with the line of the log that says why;\n"
               "   - the cost of the night against the estimates;\n"
               "   - decisions that wait for me, each with its price.\n"
               "4. Change nothing while reporting: no rent, no extension, no destruction. Propose them "
               "instead.\n"
               "\n" +
               house_rules();
      }};
}

}  // namespace vastgpu
