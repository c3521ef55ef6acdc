#pragma once
// How changes of what can be read are noticed: a short mark per resource, made of what lies at home. Any
// thread.

#include "core/clock.h"
#include "tools/resource.h"
#include "tools/workplace.h"

namespace vastgpu {

/// `list` as the catalogue has it; its titles hold states, so that it changes with them.
ResourceMarks resource_marks(Workplace& workplace, std::function<Result<std::vector<ResourceInfo>>()> list);

/// When a file was written last; nullopt: there is none, or it is no plain file.
std::optional<TimePoint> changed_at(const std::filesystem::path& file);

/// Where the log of an experiment may be at home: from the last look, collected beside others of its machine,
/// collected alone.
std::vector<std::filesystem::path> log_files(const std::filesystem::path& state_folder, const Rental& rental,
                                             const std::string& experiment);

/// [{"experiment","state","exit_code"}], newest first, at most 100.
json experiment_facts(Ledger& ledger, const Rental& rental);

}  // namespace vastgpu
