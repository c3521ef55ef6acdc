#pragma once
// How monitor shows jobs, what is the matter with them, and what goes on beside them.

#include "fleet/checkpoint.h"
#include "fleet/findings.h"
#include "tools/tool.h"

namespace vastgpu {

/// What is left of a job that runs.
std::optional<Hours> eta_of(const JobLook& j);

/// "peak 13.9 GiB of GPU memory; step 450 of 1000; 3.12 steps/s; about 12 min left"; empty when nothing is
/// known.
std::string measured_words(const JobLook& j);

/// Facts of one job. `follow`: what was read of its log; null where it was not followed.
json job_facts(const JobLook& j, const LogFollow* follow);
json memory_facts(const JobLook& j);
json rate_facts(const LogProgress& p);
json eta_facts(const JobLook& j);
json progress_facts(const LogProgress& p);
/// The curves of its log, as far as they were read; [] where it tells no loss.
json loss_facts(const JobLook& j);
json gpu_facts(const std::vector<GpuNow>& gpus);

/// "INODE:BYTES", as job_facts gives it; a number of bytes alone is one, too.
/// @error invalid_argument
Result<LogPlace> parse_cursor(const std::string& text);
std::string to_cursor(const LogPlace& place);

/// All of the machine, worst first; into facts, details, and what is bad about `main`, or about a job that is
/// not over, into the summary.
void show_findings(Envelope& e, const std::vector<Finding>& findings, const MachineLook& look,
                   const JobLook* main);

/// The queue of the machine, and what other tools do on it.
void show_neighbours(Envelope& e, const MachineLook& look);

/// The call that starts it again, from its checkpoint where there is one.
NextCall restart_call(InstanceId instance, const Job& job, const std::optional<Checkpoint>& checkpoint);

}  // namespace vastgpu
