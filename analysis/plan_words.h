#pragma once
// The words by which plans tell estimates from limits, people and clocks. All take text that went through
// `plain`. Used by the plan reader only. Pure; any thread.

#include <optional>
#include <string>
#include <string_view>

namespace vastgpu::plan_words {

bool speaks_of_gpu_hours(std::string_view t);  ///< "GPU-hours", "A100-hours", "卡时"
bool speaks_of_days(std::string_view t);
bool says_wall(std::string_view t);        ///< "wall-clock", "elapsed"
bool says_other_work(std::string_view t);  ///< of people, robots, CPUs
bool says_limit(std::string_view t);       ///< "ceiling", "hard cap", "available"
bool says_kill(std::string_view t);        ///< "kill", "abort": a rule, never an amount
bool says_reserve(std::string_view t);     ///< "contingency", "slack", "buffer"
bool says_used(std::string_view t);        ///< "already used", "spent"
bool says_rest(std::string_view t);        ///< "remaining", "still to run"
bool says_total(std::string_view t);
bool says_part(std::string_view t);      ///< "subtotal"
bool says_must(std::string_view t);      ///< "must-run", "core", 必须
bool says_optional(std::string_view t);  ///< "nice-to-have", "if time permits", 可选
bool says_each(std::string_view t);      ///< "per run", "each seed"
bool says_cumulative(std::string_view t);
bool says_dropped(std::string_view t);  ///< "deferred", "out of scope", "old plan"
/// "Dataset / split / task": names of data follow.
bool lists_datasets(std::string_view label);
/// Labels of lines that name other people's systems, or tell the story.
bool is_other_label(std::string_view label);
/// None of what counts as work ahead.
bool is_no_estimate(std::string_view t);

/// "M1: Baselines" and "M1" are the same milestone, "Block 2: x" and "2. x" the same block.
std::string key_of(std::string_view t);
bool names_milestone(std::string_view t);

/// Seeds, runs, variants: "3 seeds", "both runs", "two scratch runs", "5-seed"; nullopt when none are
/// counted.
std::optional<int> count_of_runs(std::string_view t);

/// A name as it may be shown: words that look like keys, passwords or logins become ***.
std::string without_secrets(std::string_view name);

/// "GPU 4-7": 7, the highest index of a range; -1 when there is none.
int highest_gpu_index(std::string_view t);

}  // namespace vastgpu::plan_words
