#pragma once
// The environment of a job: names that may be shown, values that never are. It travels over the encrypted
// channel into a file of mode 0600 beside the job, which sources it; no command line, ledger or answer holds
// a value. Pure; values are never changed after reading.

#include <filesystem>
#include <map>
#include <string>

#include "core/error.h"
#include "core/json.h"
#include "core/secret.h"

namespace vastgpu {

struct JobEnv {
  std::map<std::string, Secret> values;
  bool empty() const { return values.empty(); }
};

/// NAME=value lines in the manner of a `.env` file: comments, `export`, single quotes (as they stand), double
/// quotes (\n \t \" \\ \$ are read), bare words. Nothing is expanded or run. A later line wins.
/// @error invalid_argument  names the line, never what stands in it
Result<JobEnv> parse_env_file(std::string_view text, const std::string& subject);

/// The argument `env` of a call.
/// @error invalid_argument  names the variable, never its value
Result<JobEnv> read_env(const json& object);

/// A file at home, below 256 KiB. A relative path is one of the project.
/// @error not_found, invalid_argument, unavailable
Result<JobEnv> read_env_file(const std::filesystem::path& project, const std::string& path);

/// `over` wins.
JobEnv merged(JobEnv under, const JobEnv& over);

/// What the job sources. The only place where values are seen.
std::string env_text(const JobEnv& env);
/// "HF_TOKEN SEED", in order.
std::string env_names(const JobEnv& env);

}  // namespace vastgpu
