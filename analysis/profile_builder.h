#pragma once
// How a task profile grows: every witness is heard once, then each quantity is settled from the best of them.
// Used by `analyse` only. One thread at a time.

#include <filesystem>
#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

#include "analysis/analyse.h"
#include "analysis/bounded_files.h"
#include "analysis/claim.h"
#include "analysis/datasets.h"
#include "analysis/estimate_hours.h"
#include "analysis/estimate_memory.h"
#include "analysis/evidence.h"
#include "analysis/image.h"
#include "analysis/plan.h"
#include "analysis/program_reading.h"
#include "analysis/sentence.h"

namespace vastgpu {

class ProfileBuilder {
 public:
  ProfileBuilder(const std::filesystem::path& project, const TaskRequest& request);

  TaskProfile take() && { return std::move(profile_); }

 private:
  /// One model that the task names, as it would run.
  struct Need {
    std::string model;
    Workload work;
    MemoryEstimate memory;
    std::string source;
    int of_rank = rank::kUser;
    bool by_rule = false;  ///< too little was said about how it runs: a rule of thumb, no computation
  };

  template <class T>
  void drop_nonsense(std::optional<T>& value, double least, double most, const char* name);
  void warn(std::string what);
  Evidence& keep(Evidence e) { return profile_.evidence.emplace_back(std::move(e)); }

  // profile_claims.cpp
  void collect_claims();
  void claims_of_program();
  void claims_of_dataset();
  /// The claims that hold for one model of one source.
  ClaimBook claims_for(const ModelMention* model, const PlanModel* planned, const std::string& source,
                       int of_rank) const;
  void consider(const ModelMention* model, const PlanModel* planned, const std::string& source, int of_rank);
  void find_need();
  bool said_by_user(std::initializer_list<const char*> settings) const;
  void record_settings();

  void settle_gpus();
  // profile_memory.cpp
  void settle_memory();
  std::optional<Evidence> computed_memory(std::optional<double> card_gib);
  void spread_over_gpus();
  void find_alternatives();
  // profile_past.cpp: what earlier jobs of this project measured
  std::optional<Evidence> past_memory();
  std::optional<Evidence> past_hours();
  /// After an out-of-memory death: more than that card has, unless `chosen` is more or the user's word.
  std::optional<Evidence> above_dead_cards(const Evidence& chosen);
  /// False only where both sides name a script and the names differ.
  bool ran_this(const PastRun& run) const;
  /// The newest job that ran this to its end; nullptr when none did.
  const PastRun* newest_finished() const;
  // profile_hours.cpp
  std::vector<Evidence> plan_hours();
  std::optional<Evidence> computed_hours();
  void settle_hours();
  void take_hours(const Evidence& chosen, double low, double likely, double high);
  // profile_disk.cpp
  void settle_disk();
  std::optional<KnownDataset> known_dataset() const;
  // profile_image.cpp
  void settle_image(const ProjectSettings& settings);
  void settle_cuda(const ImageNeeds& image, std::optional<double> pinned);
  void need_capability(int capability, const std::string& source, int of_rank);

  void record_rest();

  TaskRequest request_;
  ProjectFiles files_;
  SentenceFacts said_;
  Plan plan_;
  ProgramReading program_;
  ClaimBook claims_;
  std::optional<Need> need_;
  std::optional<HoursEstimate> estimated_;  ///< of `need_`, on the reference card
  std::string missing_;                     ///< the fact that would settle the hours
  TaskProfile profile_;
  Evidence gpus_;
  bool gpus_known_ = false;
};

}  // namespace vastgpu
