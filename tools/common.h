#pragma once
// What several tools share: common arguments, how long a call waits, and how rentals and receipts are shown.

#include <algorithm>

#include "analysis/analyse.h"
#include "fleet/deps.h"
#include "fleet/report.h"
#include "tools/arg_list.h"
#include "tools/workplace.h"

namespace vastgpu {

inline constexpr const char* kProjectHelp =
    "Absolute path of the project folder; defaults to the folder the client runs in";
inline constexpr const char* kInstanceHelp = "Instance id, from rent or list";
inline constexpr const char* kWaitHelp =
    "Seconds to wait for progress before answering (default 45, since many clients drop a call at 60). "
    "Calling again continues the same work and never starts it twice";

inline ArgRules wait_rules() { return {.minimum = 0, .maximum = 600}; }
inline ArgRules id_rules() { return {.minimum = 1}; }

/// A limit that was meant but cannot be read must not become no limit.
/// @error invalid_argument
Result<void> check_budget_readable(const ProjectSettings& settings);

/// How long this call may wait, and whom it tells.
Caller caller_of(const CallContext& call, Clock& clock, double wait_seconds);

inline constexpr const char* kPortsHelp =
    "Ports of the machine to open on this computer's localhost, as long as this server runs and the machine "
    "is "
    "rented: tensorboard (6006), jupyter (8888), comfyui (8188) or numbers; 6006:7007 chooses 7007 here";

/// Opens `ports` and puts their URLs into the answer: facts.ports and details.
/// @error as Tunnels::open; invalid_argument  a word that is no port
Result<void> open_ports(Workplace& workplace, const Deps& d, const Rental& rental,
                        const std::vector<std::string>& ports, std::stop_token stop, Envelope& e);

/// "12 files, 3.4 MB" and the facts of a receipt.
std::string to_words(const Receipt& r);
json receipt_facts(const Receipt& r);

/// Markdown table cells, escaped.
std::string table(const std::vector<std::string>& head, const std::vector<std::vector<std::string>>& rows);

}  // namespace vastgpu
