#pragma once
// What of a project goes to a machine: the code by rules, data sets by name. Any thread.

#include "fleet/deps.h"

namespace vastgpu {

/// The seed's include and exclude rules, plus what never belongs on a machine.
SyncRules default_sync_rules();

struct UploadRequest {
  std::vector<std::string> data = {};  ///< files and folders, inside or outside the project
  std::optional<double> max_gb = {};   ///< of code and data together; raises every limit below
  bool delete_extra = false;           ///< of the code
};

/// Without a word about it, code above 200 MB and data above 2 GB are mistakes more often than wishes.
constexpr std::uint64_t kMostCode = 200'000'000, kMostCodeFile = 100'000'000, kMostData = 2'000'000'000;

struct UploadPart {
  std::string name;  ///< "code", or the data path as it was written
  std::filesystem::path local;
  std::string remote;
  SyncRules rules;
  std::size_t files = 0;
  std::uint64_t bytes = 0;
};

struct Upload {
  std::vector<UploadPart> parts;     ///< the code first
  std::vector<std::string> remarks;  ///< data named in CLAUDE.md that does not travel, and why
};

/// Resolves paths, walks everything, holds it against the limits; nothing travels. Inside the project a path
/// keeps its place below /workspace/project; one outside goes to /workspace/data/<its last part>. Of what
/// CLAUDE.md names, only what lies inside the project travels: a project from elsewhere must not fetch files
/// of the user's.
/// @error invalid_argument  a path that is not there or cannot be meant, or more than the limit: both numbers
/// and the largest files are named
Result<Upload> plan_upload(const std::filesystem::path& project, const UploadRequest& request,
                           std::stop_token stop);

/// "12 files, 3.4 MB of code; data/imagenet: 200 files, 1.2 GB".
std::string to_words(const Upload& upload);

/// The request as the ledger keeps it, so that a replacement machine gets the same.
Result<void> note_upload(const Deps& d, const std::string& label, const UploadRequest& request);
Result<UploadRequest> noted_upload(const Deps& d, const std::string& label);

}  // namespace vastgpu
