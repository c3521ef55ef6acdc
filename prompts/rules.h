#pragma once
// Sentences that several prompts share. Constant; any thread.

#include <string>

#include "prompts/prompt.h"

namespace vastgpu {

/// What holds in every story, as a list for the assistant.
std::string house_rules();
/// What the user typed, made safe to stand in a sentence: one line, bounded, quoted.
std::string quoted_words(const std::string& raw);

// One file each.
Prompt vast_gpu_prompt();
Prompt run_experiment_prompt();
Prompt monitor_experiment_prompt();
Prompt morning_report_prompt();

}  // namespace vastgpu
