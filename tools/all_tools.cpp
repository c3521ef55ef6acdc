#include "tools/all_tools.h"

namespace vastgpu {

std::vector<Tool> all_tools(Workplace& w) {
  return {provision_tool(w), rent_tool(w),   setup_tool(w), run_tool(w),     monitor_tool(w),
          collect_tool(w),   extend_tool(w), list_tool(w),  destroy_tool(w), destroy_all_tool(w)};
}

}  // namespace vastgpu
