#pragma once
// How much of an upload has travelled. Any thread may count; only the thread that asked for the upload tells.

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "core/text.h"
#include "remote/shell.h"

namespace vastgpu {

class UploadMeter {
 public:
  UploadMeter(std::uint64_t total, const ProgressFn& progress) : total_(total), progress_(progress) {}

  void add(std::uint64_t bytes_more) { done_ += bytes_more; }
  void take_back(std::uint64_t bytes_less) { done_ -= bytes_less; }

  void tell() {
    if (!progress_) return;
    const std::uint64_t done = std::min<std::uint64_t>(done_, total_);
    // What travels twice does not let the bar go back.
    shown_ = std::max(shown_, total_ == 0 ? 0 : static_cast<double>(done) / static_cast<double>(total_));
    progress_(shown_, text("sending ", bytes(done), " of ", bytes(total_)));
  }

 private:
  const std::uint64_t total_;
  std::atomic<std::uint64_t> done_ = 0;
  const ProgressFn& progress_;
  double shown_ = 0;
};

}  // namespace vastgpu
