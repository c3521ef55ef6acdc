#pragma once
// What a configuration says, by the framework that reads it. One thread at a time.

#include <string>
#include <string_view>

#include "analysis/config_node.h"
#include "analysis/program_reading.h"

namespace vastgpu {

/// "llamafactory", "axolotl", "torchtune", "litgpt", "swift", "kohya", "ai-toolkit", "lightning",
/// "accelerate", "deepspeed", "detectron2", "openmmlab"; empty for a configuration of no known framework.
std::string framework_of(const ConfigNode& root);

/// True for those that describe a whole run, so that such a file alone says what a project does.
bool runs_by_itself(std::string_view framework);

/// A file with those it is based on (`_BASE_`, `_base_`, Hydra's `defaults`) merged below it.
struct MergedConfig {
  ConfigNode root;
  std::vector<std::string> paths;  ///< the file itself first; `ConfigNode::file` counts them

  /// Where a node stands: "conf/model/vit.yaml:3".
  std::string at(const ConfigNode& node) const;
};

/// `groups`: Hydra groups chosen on the launch line: {"model", "vit"}. nullopt for a file that cannot be
/// read.
std::optional<MergedConfig> read_config(ProjectFiles& files, const std::string& path,
                                        const std::vector<std::pair<std::string, std::string>>& groups,
                                        std::vector<std::string>& warnings);

/// Adds what the configuration says to the reading.
void take_config(const MergedConfig& config, const std::string& framework, ProgramReading& into);

}  // namespace vastgpu
