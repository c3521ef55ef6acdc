#pragma once
// Hints from the program that will run: the entry script, the modules it imports, launch scripts and
// requirements.txt. No Python is parsed: names and numbers are looked for in the text without its comments
// and docstrings. One thread at a time.

#include <optional>
#include <string>
#include <vector>

#include "analysis/bounded_files.h"
#include "analysis/model_rules.h"

namespace vastgpu {

/// A fact and the place it came from: "train.py:17".
template <class T>
struct Found {
  T value{};
  std::string source;
};

struct ScriptHints {
  std::string entry;      ///< "train.py"; empty when no entry script was found
  std::string entry_why;  ///< "named in the plan", "newest of train.py, main.py"
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

/// N of a launch line: "torchrun --nproc_per_node=4 ...", "CUDA_VISIBLE_DEVICES=0,1 python ...". The mere use
/// of a launcher says nothing.
std::optional<int> gpus_of_launch(std::string_view line);

/// `planned`: scripts that the plan's run lines name, e.g. {"train.py"}.
ScriptHints read_scripts(ProjectFiles& files, const std::vector<std::string>& planned);

}  // namespace vastgpu
