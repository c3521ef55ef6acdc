#pragma once
// Gigabytes in a plan: measured on a card, needed of a card, of data, of disk. Used by the plan reader only.
// One thread at a time.

#include <string_view>
#include <vector>

#include "analysis/amounts.h"
#include "analysis/plan.h"

namespace vastgpu {

/// Fills `measured_gib`, `min_vram_gib`, `data_gb` and `disk_gb` of the plan.
class SizeReader {
 public:
  explicit SizeReader(Plan& plan) : plan_(plan) {}

  /// `label` and `t` went through `plain`.
  void take(std::string_view label, std::string_view t, int line);
  /// A line of code that holds a measurement.
  void take_log(std::string_view t, int line) { take_memory("", t, find_gpu_mentions(t), line); }
  /// Once runs and seeds are known.
  void finish();

 private:
  void take_data(std::string_view t, const std::vector<const Amount*>& sizes, int line);
  void take_memory(std::string_view label, std::string_view t, const std::vector<GpuMention>& cards,
                   int line);
  void take_disk(std::string_view label, std::string_view t, int line);

  Plan& plan_;
  double disk_per_run_ = 0;
};

}  // namespace vastgpu
