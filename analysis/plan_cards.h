#pragma once
// The cards a plan may use, and how many. Used by the plan reader only. One thread at a time.

#include <string>
#include <string_view>
#include <vector>

#include "analysis/plan.h"

namespace vastgpu {

/// Fills `hardware`, `cards` and `no_gpu_line` of the plan.
class CardReader {
 public:
  explicit CardReader(Plan& plan) : plan_(plan) {}

  /// `label` and `t` went through `plain`; `cards` are those of `t`.
  void take(std::string_view label, std::string_view t, const std::vector<GpuMention>& cards,
            const MarkLine& line);
  /// "GPU 4-7" in any line, code included, counts cards.
  void take_index(std::string_view t);
  void finish();

 private:
  struct FoundCards {
    std::vector<GpuMention> cards;
    std::string text;
    int line = 0;
    bool alternatives = false;
    std::optional<int> usable;
  };

  static FoundCards as_found(const std::vector<GpuMention>& cards, std::string_view t, int line);
  PlanHardware choose(std::vector<FoundCards>& all);

  Plan& plan_;
  std::vector<FoundCards> labelled_;  ///< on lines that are about hardware
  std::vector<FoundCards> counted_;   ///< "4x A100" anywhere else
  std::vector<FoundCards> named_;     ///< the first card without a number
  std::optional<int> gpu_count_;
  int highest_index_ = -1;
  int no_gpu_line_ = 0;
  int hardware_section_ = -1;
};

}  // namespace vastgpu
