#pragma once
// What would end a job in its first minute, found before it starts: a script that is not there or does not
// compile, an import that the image lacks, a data path that does not exist, a GPU that is not there. Project
// code is read on the machine, by the Python that will run it, and never executed. One round trip, at most 20
// s.

#include <string>
#include <string_view>
#include <vector>

#include "fleet/findings.h"

namespace vastgpu {

struct PreflightProblem {
  std::string kind;  ///< "missing_file", "syntax_error", "missing_import", "missing_data", "no_such_gpu",
                     ///< "too_many_processes", "not_checked"
  Severity severity = Severity::info;  ///< bad: the job is not started
  std::string file;                    ///< as the command names it; may be empty
  int line = 0;                        ///< 0: of the whole file, or of the command
  std::string words;                   ///< cleaned
};
void to_json(json& j, const PreflightProblem& p);
/// "train.py line 3: no module named wandb"
std::string to_words(const PreflightProblem& p);

/// Empty: nothing was found. What could not be looked at is said as "not_checked".
/// @error as Shell::exec
Result<std::vector<PreflightProblem>> preflight(Shell& shell, const JobRequest& request, int num_gpus,
                                                std::stop_token stop);

bool refuses(const std::vector<PreflightProblem>& problems);

/// The Python that the command names ("python3.11", "/venv/main/bin/python"); empty when it names none. Pure.
std::string python_of(const std::string& command);

/// What the machine answered. Pure.
std::vector<PreflightProblem> read_preflight(std::string_view answer, const std::string& mark,
                                             const JobRequest& request, int num_gpus);

/// The program that looks; takes a mark and the command as its arguments.
extern const char* const kPreflightProgram;

}  // namespace vastgpu
