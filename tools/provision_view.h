#pragma once
// How provision shows what it found: the table of options, the lines below it, and what would help when
// nothing fits. Pure; any thread.

#include "fleet/quote.h"
#include "tools/tool.h"

namespace vastgpu {

/// "needs 1 GPU with 24.0 GB each, about 2 h on RTX 3090, 50 GB disk, CUDA 12.1, image ...".
std::string needs_line(const TaskProfile& p);

std::string evidence_table(const TaskProfile& p);

/// Outcome, summary, details and facts for what a search found: "options", or "nothing_fits". `facts` are
/// those that are known without the search; `warnings` go below the table; `renewal` (renewal_words) stands
/// beside what the cheapest can cost.
Envelope show_options(const QuoteResult& found, const TaskProfile& profile, const std::optional<Usd>& budget,
                      const std::vector<std::string>& warnings, json facts, const std::string& renewal = {});

}  // namespace vastgpu
