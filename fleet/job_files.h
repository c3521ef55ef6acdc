#pragma once
// Where a job has its files on the machine, and how the scripts that run there find them. Pure.

#include <string>

#include "core/rental.h"

namespace vastgpu {

/// Our bookkeeping of one experiment: exit code, heartbeat, its script.
std::string job_folder(const std::string& experiment);

/// Tells the starts of one experiment apart, here and on the machine.
std::string turn_of(const Job& job);

/// The first lines of a script about an experiment: $e, $f (its folder), $log, and `session`, which prints
/// its screen session as "pid.name". A plain name needs no quotes.
std::string job_names(const std::string& experiment);

/// `container`, which prints what tells one start of this container from another: "BOOT-START AGE", the age
/// in seconds. Empty where /proc does not tell.
std::string container_function();

}  // namespace vastgpu
