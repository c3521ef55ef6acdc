#pragma once
// What a collection has to say besides its files. One thread at a time.

#include <string>
#include <vector>

#include "core/text.h"

namespace vastgpu {

class Findings {
 public:
  /// Nothing is lost by it.
  void remark(std::string what) {
    if (kept_.size() < kMost)
      kept_.push_back(std::move(what));
    else
      ++more_;
  }
  /// Something is not home.
  void incomplete(std::string what) {
    if (kept_.size() >= kMost && whole_) kept_.pop_back(), ++more_;  // the first such must be seen
    whole_ = false;
    remark(std::move(what));
  }
  bool whole() const { return whole_; }
  std::vector<std::string> words() const {
    auto out = kept_;
    if (more_ > 0) out.push_back(text("... and ", more_, " more of the kind"));
    return out;
  }

 private:
  static constexpr std::size_t kMost = 50;
  std::vector<std::string> kept_;
  std::size_t more_ = 0;
  bool whole_ = true;
};

}  // namespace vastgpu
