#pragma once
// vast-gpu panic: ends everything of ours on the account at once. One thread.

#include "tools/workplace.h"

namespace vastgpu {

struct PanicOptions {
  bool yes = false;              ///< do not ask
  bool discard_results = false;  ///< no last attempt to bring results home
  double collect_seconds = 120;  ///< how long that attempt may take
};

/// Asks on a terminal, destroys, reads back, prints what each cost. Returns as reap_command; 2 also when
/// nobody said yes.
int panic_command(Workplace& workplace, const PanicOptions& options);

}  // namespace vastgpu
