#pragma once
// Training and serving tools that are started by their own command. Constant and pure; any thread.

#include <string>

#include "analysis/launch_line.h"

namespace vastgpu {

/// Fills `tool` (and a verb that the name holds) when `word` starts a known tool: "llamafactory-cli",
/// "axolotl.cli.train" (a module), "train_network.py". False for anything else.
bool take_tool(LaunchLine& line, const std::string& word, bool is_python);

/// Takes the verb out of the words of a tool: "axolotl train x.yml" -> verb "train". Models that stand
/// without a name become the option "--model".
void finish_tool(LaunchLine& line);

}  // namespace vastgpu
