#pragma once
// `vast-gpu demo`: starts the sandbox and a server on a sample project, drives it over MCP as an assistant
// would, and prints the story. No account, no network, nothing left running.

namespace vastgpu {

struct DemoOptions {
  double speed = 60;  ///< simulated seconds per second
  bool keep = false;  ///< keep the project folder
};

/// 0 when the whole story went well.
int demo(const DemoOptions& options);

}  // namespace vastgpu
