#pragma once
// The reading of the program in the words of the rules of thumb. One thread at a time.

#include <optional>
#include <string>
#include <vector>

#include "analysis/launch_line.h"
#include "analysis/model_rules.h"
#include "analysis/program_reading.h"

namespace vastgpu {

struct ScriptHints {
  std::string entry;      ///< "train.py"; empty when no entry script was found
  std::string entry_why;  ///< "named in the plan", "the newest of train*.py, run*.py, main.py"
  std::vector<Found<ModelMention>> models;
  std::optional<Found<Method>> method;
  std::optional<Found<Precision>> precision;
  bool needs_bf16 = false;  ///< bf16 without a check that the card has it, or flash-attention 2
  std::string bf16_source;
  std::optional<Found<int>> gpus;               ///< from a launch line
  std::optional<Found<int>> batch_size;         ///< recorded only
  std::optional<Found<std::string>> torch_pin;  ///< "2.4.0", "2.4.0+cu124"
  std::optional<Found<std::string>> dataset;
  bool trains = false;
  bool checkpoints = false;
};

ScriptHints hints_of(const ProgramReading& reading);

/// `planned`: scripts that the plan's run lines name, e.g. {"train.py"}. Warnings of the reading go to
/// `files`.
ScriptHints read_scripts(ProjectFiles& files, const std::vector<std::string>& planned);

}  // namespace vastgpu
