#pragma once
// The ten tools. A new one gets a file of its own, a line here and one in all_tools.cpp.

#include <vector>

#include "tools/resource.h"
#include "tools/tool.h"
#include "tools/workplace.h"

namespace vastgpu {

Tool provision_tool(Workplace& workplace);
Tool rent_tool(Workplace& workplace);
Tool setup_tool(Workplace& workplace);
Tool run_tool(Workplace& workplace);
Tool monitor_tool(Workplace& workplace);
Tool collect_tool(Workplace& workplace);
Tool extend_tool(Workplace& workplace);
Tool list_tool(Workplace& workplace);
Tool destroy_tool(Workplace& workplace);
Tool destroy_all_tool(Workplace& workplace);

/// In the order in which they are listed: the story of a rental.
std::vector<Tool> all_tools(Workplace& workplace);

/// The instance file, each rental, each job's log, the cost reports.
ResourceCatalogue all_resources(Workplace& workplace);

}  // namespace vastgpu
