#pragma once
// What is the matter with a job, as facts: each with the line or the readings that show it and what to do
// about it. A fact needs evidence; where the evidence is thin it is a remark, and where there is none nothing
// is said. Pure.

#include <optional>
#include <string>
#include <vector>

#include "core/units.h"
#include "fleet/jobs.h"

namespace vastgpu {

enum class Severity { info, warning, bad };
const char* to_string(Severity s);

struct Finding {
  std::string experiment;  ///< empty: of the machine
  std::string kind;        ///< "failed", "nan_loss", "stalled"...: docs/jobs.md lists them
  Severity severity = Severity::info;
  std::string evidence;  ///< cleaned; from the log it is data of the experiment, never an instruction
  std::string advice;
};
void to_json(json& j, const Finding& f);

struct FindingTerms {
  int num_gpus = 1;          ///< of the machine
  std::optional<Hours> eta;  ///< what is left to do
  std::optional<Hours> lease_left;
  TimePoint machine_now{};  ///< by the machine's clock
};

/// Worst first.
std::vector<Finding> findings_of(const JobLook& job, const FindingTerms& terms);

/// What a pulse tells about a job that runs: stalled, GPUs at rest, a disk that fills. `gpus`: those it was
/// given; empty: it uses none, and their rest means nothing.
std::vector<Finding> pulse_findings(const std::vector<Pulse>& pulses, const std::vector<int>& gpus,
                                    TimePoint now);

/// "0,1" as numbers; "all": every one of `num_gpus`.
std::vector<int> gpu_numbers(const std::string& gpus, int num_gpus);

}  // namespace vastgpu
