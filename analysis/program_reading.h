#pragma once
// What the project's own program says: which script and command will run, with which settings, models and
// pinned packages. Reads within the limits of ProjectFiles; runs nothing. One thread at a time.

#include <optional>
#include <string>
#include <vector>

#include "analysis/bounded_files.h"
#include "analysis/claim.h"

namespace vastgpu {

/// A fact and the place it came from: "train.py:17".
template <class T>
struct Found {
  T value{};
  std::string source;
};

/// A model as the program writes it: an identifier ("meta-llama/Llama-3.1-8B") or the name of a class.
struct ProgramModel {
  std::string value;
  std::string source;
  std::string role;  ///< what its variable is called: "teacher", "ref_model"; empty for the usual names
  int strength = 1;  ///< of analysis/claim.h
  bool alternative = false;  ///< stands in another arm of an `if` than an earlier one: never both in memory
};

struct ProgramReading {
  std::string command;  ///< the launch line that will run, keys and tokens replaced; empty when there is none
  std::string command_at;  ///< "run.sh:3", "the command given"
  std::string script;      ///< "src/train.py"; empty when no script was found or a tool runs by itself
  std::string
      script_why;    ///< "the command given", "named in the plan", "run.sh:3", "newest of train.py, main.py"
  std::string tool;  ///< "llamafactory", "axolotl", "torchtune", "vllm"...; empty for a script
  std::string config;      ///< the configuration that counts; empty when there is none
  std::string config_why;  ///< "named by the launch line", "named in train.py:8", "the only one of axolotl"

  std::vector<Claim> claims;  ///< rank::kScript, and rank::kMeasured for vram_gib
  std::vector<ProgramModel>
      models;  ///< strongest witness first; several without `alternative` share a process
  std::vector<Found<std::string>> datasets;
  std::optional<Found<std::string>> torch_pin;  ///< "2.4.0", "2.4.0+cu124"
  std::vector<Found<std::string>> pins;         ///< others that matter: "flash-attn==2.6.3", "cu124"
  std::optional<Found<std::string>> image;      ///< of a Dockerfile
  bool needs_bf16 = false;                      ///< bf16 without asking the card, or flash-attention 2
  std::string bf16_source;
  bool trains = false;
  bool saves = false;                       ///< writes checkpoints
  bool resumes = false;                     ///< and can go on from one
  std::optional<Found<double>> data_gb;     ///< data folders in the project
  std::vector<Found<double>> measured_gib;  ///< newest first: "peak 31 GiB" in a comment or log
  std::vector<Found<std::string>> scales;   ///< what keeps a card from mattering: "environments on the CPU"
  std::optional<Found<std::string>> time_limit;  ///< of a Slurm header: a limit, no estimate
  std::vector<std::string> warnings;

  bool checkpoints() const { return saves && resumes; }
};

struct ProgramRequest {
  std::string command = {};               ///< said by the user; may be empty
  std::vector<std::string> planned = {};  ///< scripts or run lines of the plan
};

ProgramReading read_program(ProjectFiles& files, const ProgramRequest& request);

}  // namespace vastgpu
