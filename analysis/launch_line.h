#pragma once
// What one command starts: the launcher, the program, its options, how many GPUs. Pure; any thread.

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "analysis/launch_words.h"
#include "core/json.h"

namespace vastgpu {

struct LaunchOption {
  std::string name;  ///< "--batch_size", "model.dim", "-b"
  json value;        ///< typed as it reads; true for an option without a value; null when it is not known
  bool by_default = false;             ///< a variable's default stands in it
  std::vector<std::string> more = {};  ///< further words: "1" and "2" of "--seeds 0 1 2"
};

struct LaunchLine {
  std::string text;      ///< as written, one blank between words, secrets replaced by ***
  std::string source;    ///< "run.sh:3", "the command given"
  std::string launcher;  ///< "python", "torchrun", "accelerate", "deepspeed", "mpirun"; empty for a tool
  std::string script;    ///< "src/train.py" or, of `python -m`, "src/train.py" as well
  std::string tool;      ///< "llamafactory", "axolotl", "torchtune", "litgpt", "swift", "kohya", "yolo",
                         ///< "vllm"...; empty for a script of the project
  std::string verb;      ///< of a tool: "train", "finetune_lora", "sft", "serve"
  std::string follows;   ///< a shell script or Makefile that it runs: "run.sh"; all else is empty then
  std::string target;    ///< of make
  std::vector<LaunchOption> options;
  std::vector<std::string> words;  ///< without a name: "config.yaml", "llama-7b"
  std::optional<int> gpus;         ///< of one machine; a number in the line, not the use of a launcher
  bool gpus_by_default = false;
  std::optional<int> nodes;
  std::optional<std::string> accelerate_config, deepspeed_config;
  std::optional<std::string> mixed_precision;  ///< of accelerate
  int repeats = 1;                             ///< runs of a loop around it

  const LaunchOption* option(std::string_view key) const;  ///< by name_key
};

/// nullopt for a command that starts no program of this kind ("cd x", "pip install").
std::optional<LaunchLine> launch_of(const ShellCommand& command, const std::string& file);

/// All of a text. `file` names it in sources: "run.sh"; a single line without a number when `file` has a
/// blank.
std::vector<LaunchLine> launches_of(std::string_view shell_text, const std::string& file);

/// N of a launch line: "torchrun --nproc_per_node=4 ...", "CUDA_VISIBLE_DEVICES=0,1 python ...", "#SBATCH
/// --gres=gpu:2". The mere use of a launcher says nothing.
std::optional<int> gpus_of_launch(std::string_view line);

/// Headers of a Slurm job.
struct SlurmLimits {
  std::optional<int> gpus, nodes;
  std::string time;  ///< "24:00:00": a limit, no estimate
  int gpus_line = 0, time_line = 0;
};
SlurmLimits slurm_limits(std::string_view text);

/// The words of a command without what could be a key, token or password.
std::string without_secrets(std::string_view command);

}  // namespace vastgpu
