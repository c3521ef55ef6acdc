#pragma once
// `vast-instances.json`, the public record that other tools read and edit. Bare array, 13 fields, unknown
// keys and odd entries preserved byte for byte. Any thread.
//
// Every write re-reads the file, changes our entry in its text and puts the result in its place atomically,
// under a lock that all our processes share. Others do not take that lock, so:
// - An edit that was complete before our file went in is kept. Where the file system can exchange two files
// (Linux
//   ext4, xfs, btrfs, tmpfs) we look at what we displaced and merge again, so only two edits within one write
//   of ours (milliseconds) can lose the first. Elsewhere (NFS) an edit between our last look and the rename
//   is lost.
// - Somebody who read the file before our write and writes their whole copy after it undoes ours. Nobody but
// them can
//   prevent that; the next put() of the rental repairs it.
// @source ARIS, skills vast-gpu and run-experiment (github.com/wanshuiyin/Auto-claude-code-research-in-sleep)

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/json.h"
#include "core/rental.h"
#include "state/disk.h"

namespace vastgpu {

struct EntryEdit;
struct InstanceText;

/// One entry as we read it: tolerant, everything optional but the id.
struct InstanceEntry {
  InstanceId id;
  std::string status;  ///< any word; "running" means usable
  std::string gpu_name;
  std::optional<Endpoint> ssh;
  std::optional<std::string> experiment;
  std::optional<double> dph;
  std::string created_at;
  json raw;
};

/// What we write about one rental of ours. What is unknown (0, empty, nullopt) is null in a new entry, and
/// leaves an existing entry as it is.
struct InstanceRecord {
  InstanceId id;
  OfferId offer;
  std::string gpu_name;  ///< marketplace spelling; written with underscores
  int num_gpus = 1;
  UsdPerHour price;
  Endpoint ssh;  ///< the one verified by logging in
  TimePoint created{};
  std::string status;  ///< "running" or "destroyed"
  std::optional<std::string> experiment;
  std::optional<Hours> estimated_hours;
  std::optional<Usd> estimated_cost;
  json extra = json::object();  ///< further keys, each starting with x_
};

class InstanceFile {
 public:
  InstanceFile(std::filesystem::path project, std::filesystem::path lock_folder, Disk& disk = real_disk())
      : project_(std::move(project)), lock_folder_(std::move(lock_folder)), disk_(&disk) {}

  std::filesystem::path path() const { return project_ / "vast-instances.json"; }

  /// Absent, or an empty array: nothing.
  /// @error corrupt      it does not parse (also when empty or cut), or is over 8 MB: it will not be written
  /// either
  /// @error wrong_state  it is a link that leads out of the project
  Result<std::vector<InstanceEntry>> read() const;

  /// Adds or updates our entry by instance_id; everything else in the file stays as it is now.
  /// @error corrupt           the file does not parse: left alone, a copy kept beside it, the message says
  /// where
  /// @error wrong_state       it is a link that leads out of the project
  /// @error unavailable       it cannot be written; it reads as before
  /// @error invalid_argument  see edit_for() in state/instance_edit.h
  Result<void> put(const InstanceRecord& record) const;

  /// Changes `status` (and `experiment` where given) of one entry; a missing entry is success.
  Result<void> set_status(InstanceId id, const std::string& status) const;
  Result<void> set_experiment(InstanceId id, const std::optional<std::string>& experiment) const;

 private:
  using Edit = std::function<Result<EntryEdit>(const json& file_now)>;

  Result<std::filesystem::path> root() const;
  Result<std::filesystem::path> target() const;
  Result<void> change(const Edit& edit) const;
  Result<void> locked_change(const Edit& edit) const;
  Error keep_broken(const InstanceText& broken) const;

  std::filesystem::path project_;
  std::filesystem::path lock_folder_;
  Disk* disk_;
};

}  // namespace vastgpu
