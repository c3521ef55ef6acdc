#pragma once
// `vast-instances.json`, the public record that other tools read and edit. Bare array, 13 fields, unknown keys and
// odd entries preserved. Any thread; every write re-reads, merges our entry, and replaces the file atomically under a
// lock in the project's state folder.
// @source aris-compat.md section 3

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/json.h"
#include "core/rental.h"

namespace vastgpu {

/// One entry as we read it: tolerant, everything optional but the id.
struct InstanceEntry {
  InstanceId id;
  std::string status;      ///< any word; "running" means usable
  std::string gpu_name;
  std::optional<Endpoint> ssh;
  std::optional<std::string> experiment;
  std::optional<double> dph;
  std::string created_at;
  json raw;
};

/// What we write about one rental of ours.
struct InstanceRecord {
  InstanceId id;
  OfferId offer;
  std::string gpu_name;        ///< marketplace spelling; written with underscores
  int num_gpus = 1;
  UsdPerHour price;
  Endpoint ssh;                ///< the one verified by logging in
  TimePoint created{};
  std::string status;          ///< "running" or "destroyed"
  std::optional<std::string> experiment;
  std::optional<Hours> estimated_hours;
  std::optional<Usd> estimated_cost;
  json extra = json::object(); ///< further keys, each starting with x_
};

class InstanceFile {
 public:
  explicit InstanceFile(std::filesystem::path project) : project_(std::move(project)) {}
  std::filesystem::path path() const { return project_ / "vast-instances.json"; }

  /// Absent, or an empty array: nothing.
  /// @error corrupt  it does not parse (also when empty or cut): it will not be written either
  Result<std::vector<InstanceEntry>> read() const;

  /// Adds or updates our entry by instance_id; everything else in the file stays as it is now.
  /// @error corrupt      the file does not parse: left alone, a copy kept beside it, the message says where
  /// @error unavailable  it cannot be written
  Result<void> put(const InstanceRecord& record) const;

  /// Changes `status` (and `experiment` where given) of one entry; a missing entry is success.
  Result<void> set_status(InstanceId id, const std::string& status) const;
  Result<void> set_experiment(InstanceId id, const std::optional<std::string>& experiment) const;

 private:
  std::filesystem::path project_;
};

}  // namespace vastgpu
