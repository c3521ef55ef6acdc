#pragma once
// vast-gpu reap: one pass over everything of ours, for cron and CI. One thread.

#include <string>

#include "tools/workplace.h"

namespace vastgpu {

struct ReapOptions {
  std::string project;  ///< empty: the whole account
  bool as_json = false;
};

/// Prints what was found and done. Returns 0 when nothing of ours bills, 1 when something does, 2 when that
/// could not be found out.
int reap_command(Workplace& workplace, const ReapOptions& options);

}  // namespace vastgpu
