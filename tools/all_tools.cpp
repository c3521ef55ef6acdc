#include "tools/all_tools.h"

#include <algorithm>

#include "core/text.h"
#include "fleet/host_key.h"
#include "fleet/lifecycle.h"

namespace vastgpu {
namespace {

/// A host key that nobody confirmed is said in every answer about that rental, whichever tool gives it.
void say_host_key(Workplace& workplace, Envelope& e) {
  const auto id = read_integer(e.facts, "instance_id");
  const auto deps = id ? workplace.open_known() : std::nullopt;
  if (!deps) return;
  const auto rental = deps->ledger.rental_by_instance({*id});
  if (!rental || !*rental || !(*rental)->host_key) return;
  e.facts["host_key"] = host_key_facts(**rental);
  const std::string words = host_key_words(**rental);
  if (words.empty() || !may_bill((*rental)->status)) return;
  json& warnings = e.facts["warnings"];
  if (!warnings.is_array()) warnings = json::array();
  if (std::ranges::find(warnings, json(words)) == warnings.end()) {
    warnings.push_back(words);
    if (!e.details.empty() && !e.details.ends_with('\n')) e.details += "\n";
    e.details += "- warning: " + words + "\n";
  }
  e.summary += (*rental)->host_key_proof == HostKeyProof::contradicted
                   ? " ALARM: its SSH host key is not the one in the container's log."
                   : " Its SSH host key was trusted on first use.";
}

Tool with_host_key(Workplace& workplace, Tool tool) {
  tool.call = [&workplace, inner = std::move(tool.call)](const json& arguments, CallContext& call) {
    auto answer = inner(arguments, call);
    if (answer) say_host_key(workplace, *answer);
    return answer;
  };
  return tool;
}

}  // namespace

std::vector<Tool> all_tools(Workplace& w) {
  std::vector<Tool> tools{provision_tool(w), rent_tool(w),       setup_tool(w),  run_tool(w),
                          monitor_tool(w),   collect_tool(w),    extend_tool(w), list_tool(w),
                          destroy_tool(w),   destroy_all_tool(w)};
  for (Tool& tool : tools) tool = with_host_key(w, std::move(tool));
  return tools;
}

}  // namespace vastgpu
