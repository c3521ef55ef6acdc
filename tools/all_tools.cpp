#include "tools/all_tools.h"

#include <algorithm>

#include "core/text.h"
#include "fleet/host_key.h"
#include "fleet/lifecycle.h"
#include "fleet/ssh_lines.h"
#include "tools/links.h"
#include "tools/outputs.h"
#include "tools/pages.h"

namespace vastgpu {
namespace {

/// Lines that a person can type, while SSH is open.
void add_lines(const Deps& d, const Rental& rental, json& facts) {
  facts["type_this"] = pin_for_people(d, rental) ? to_facts(ssh_lines(d, rental)) : json(nullptr);
  std::error_code gone;
  if (!may_bill(rental.status)) std::filesystem::remove(known_hosts_file(d, rental), gone);
}

/// Every answer about a rental says how to reach it and what its host key rests on, whichever tool gives it.
void say_how_to_reach(Workplace& workplace, Envelope& e) {
  const auto id = read_integer(e.facts, "instance_id");
  const auto rows = e.facts.find("instances");
  const bool lists = rows != e.facts.end() && rows->is_array();
  const auto deps = id || lists ? workplace.open_known() : std::nullopt;
  if (!deps) return;
  if (lists)
    for (json& row : *rows)
      if (const auto one = row.is_object() ? read_integer(row, "instance_id") : std::nullopt)
        if (const auto rental = deps->ledger.rental_by_instance({*one}); rental && *rental)
          add_lines(*deps, **rental, row);
  if (!id) return;
  const auto rental = deps->ledger.rental_by_instance({*id});
  if (!rental || !*rental || !(*rental)->host_key) return;
  add_lines(*deps, **rental, e.facts);
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

Tool with_reach(Workplace& workplace, Tool tool) {
  tool.call = [&workplace, name = tool.spec.name, inner = std::move(tool.call)](const json& arguments,
                                                                                CallContext& call) {
    auto answer = inner(arguments, call);
    if (answer) {
      say_how_to_reach(workplace, *answer);
      add_links(name, *answer);
    }
    return answer;
  };
  return tool;
}

}  // namespace

std::vector<Tool> all_tools(Workplace& w) {
  std::vector<Tool> tools{provision_tool(w), rent_tool(w),       setup_tool(w),  run_tool(w),
                          monitor_tool(w),   collect_tool(w),    extend_tool(w), list_tool(w),
                          destroy_tool(w),   destroy_all_tool(w)};
  for (Tool& tool : tools) {
    tool.make_output_schema = [name = tool.spec.name] { return output_schema(name); };
    tool.view = page_of(tool.spec.name);
    tool = with_reach(w, std::move(tool));
  }
  return tools;
}

}  // namespace vastgpu
