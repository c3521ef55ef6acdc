#include "analysis/analyse.h"

#include "analysis/profile_builder.h"

namespace vastgpu {

TaskProfile analyse(const std::filesystem::path& project, const TaskRequest& request) {
  return ProfileBuilder(project, request).take();
}

}  // namespace vastgpu
