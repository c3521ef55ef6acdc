#pragma once
// How a task profile grows: everything is read once, then each quantity is settled from the best witness.
// Used by `analyse` only. One thread at a time.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "analysis/analyse.h"
#include "analysis/bounded_files.h"
#include "analysis/datasets.h"
#include "analysis/evidence.h"
#include "analysis/image.h"
#include "analysis/plan.h"
#include "analysis/script_hints.h"
#include "analysis/sentence.h"

namespace vastgpu {

class ProfileBuilder {
 public:
  ProfileBuilder(const std::filesystem::path& project, const TaskRequest& request);

  TaskProfile take() && { return std::move(profile_); }

 private:
  struct Need {
    ModelMention model;
    MemoryRule rule;
    Method method = Method::unknown;
    std::string source;
    int of_rank = rank::kUser;
  };

  template <class T>
  void drop_nonsense(std::optional<T>& value, double least, double most, const char* name);
  void warn(std::string what);
  Evidence& keep(Evidence e) { return profile_.evidence.emplace_back(std::move(e)); }

  void settle_gpus();
  /// The neediest model of one source: of teacher and student, the one that sets the card.
  void consider(std::optional<Need>& best, const ModelMention& model, Method own, Precision precision,
                const std::string& source, int of_rank);
  std::optional<Need> neediest();
  /// GiB of one GPU with headroom; chooses the number of GPUs when one card is too small and nobody said a
  /// number.
  double per_gpu(const MemoryRule& rule, std::optional<double> card_gib);
  void settle_memory();
  /// The plan's total and the sum of its costs, the one that counts first.
  std::vector<Evidence> plan_hours();
  void settle_hours();
  void settle_disk();
  std::optional<KnownDataset> known_dataset() const;
  void settle_image(const ProjectSettings& settings);
  void settle_cuda(const ImageNeeds& image, std::optional<double> pinned);
  void need_ampere(const std::string& source, int of_rank);
  void record_rest();

  TaskRequest request_;
  ProjectFiles files_;
  SentenceFacts said_;
  Plan plan_;
  ScriptHints scripts_;
  TaskProfile profile_;
  Evidence gpus_;
  bool gpus_known_ = false;
  Method method_ = Method::unknown;
};

}  // namespace vastgpu
