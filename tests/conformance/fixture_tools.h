#pragma once
// What the public conformance suite calls, under the names that it expects. Any thread.

#include "server/server.h"

namespace vastgpu {

std::vector<Tool> conformance_tools();
/// Tools that ask the client: forms, a sample of its model, its roots.
std::vector<Tool> conformance_asking_tools();
std::vector<Tool> conformance_task_tools();
TaskParts conformance_tasks();
std::vector<Prompt> conformance_prompts();
ResourceCatalogue conformance_resources();

/// One red pixel and a tenth of a millisecond of silence, as base64.
std::string pixel_png();
std::string silent_wav();

}  // namespace vastgpu
