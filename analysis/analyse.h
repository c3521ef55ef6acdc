#pragma once
// Reads a project folder and the user's words. No network, no clock, writes nothing. Files over 2 MB, binary
// files, folders in place of files and links out of the project are skipped and named in the warnings. Any
// thread.

#include <filesystem>
#include <optional>
#include <string>

#include "analysis/task_profile.h"
#include "core/error.h"
#include "core/past_run.h"

namespace vastgpu {

/// The keys of `## Vast.ai` in CLAUDE.md or AGENTS.md.
/// @source aris-compat.md section 4
struct ProjectSettings {
  bool wants_vast = false;  ///< `gpu: vast`, or the heading alone
  std::optional<bool> auto_destroy;
  std::optional<bool> auto_extend;  ///< false: no lease is renewed by itself
  std::optional<Usd> max_budget;
  bool budget_unreadable = false;  ///< a limit was meant but cannot be read: nothing may be spent
  std::optional<std::string> image;
  std::vector<std::string> data;      ///< `data: path`, files and folders that shall be on the machine
  std::vector<std::string> results;   ///< what comes home besides results/, as patterns below the project
  std::string source;                 ///< "CLAUDE.md"; empty when there is no such file
  std::vector<std::string> warnings;  ///< values that could not be read, by key and line
};
ProjectSettings read_project_settings(const std::filesystem::path& project);

/// What the caller already knows; each given value overrules everything found.
struct TaskRequest {
  std::string task = {};                ///< the user's sentence; may be empty
  std::optional<double> hours = {};     ///< wall clock on whatever card, as the user says it
  std::optional<double> vram_gib = {};  ///< per GPU
  std::optional<int> gpus = {};
  std::optional<double> disk_gb = {};
  std::optional<std::string> image = {};
  std::optional<double> cuda = {};
  std::string command =
      {};           ///< that will run, as the caller knows it: "torchrun --nproc_per_node 2 train.py"
  json facts = {};  ///< an object of settings (analysis/setting.h) that the caller knows
  std::vector<PastRun> past_runs = {};  ///< of this project, newest first
};

TaskProfile analyse(const std::filesystem::path& project, const TaskRequest& request);

}  // namespace vastgpu
