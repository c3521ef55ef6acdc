#pragma once
// How many training samples public datasets have: with the epochs, that is the amount of work. Constant; any
// thread.

#include <optional>
#include <string_view>

namespace vastgpu {

struct CountedDataset {
  std::string_view name;
  double samples = 0;     ///< of the training split; 0 for running text
  double tokens = 0;      ///< of running text, by common tokenizers; 0 elsewhere
  double avg_tokens = 0;  ///< of one sample, where samples are texts
  double side = 0;        ///< pixels, where pictures are small and networks are trained on them as they are
};

/// The dataset named in a text that went through `plain`; of several the largest.
std::optional<CountedDataset> find_counted_dataset(std::string_view plain_text);

}  // namespace vastgpu
