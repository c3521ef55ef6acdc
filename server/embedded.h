#pragma once
// Files that travel inside the program.

#include <string_view>
#include <vector>

namespace vastgpu {

struct EmbeddedFile {
  std::string_view path;  ///< relative
  std::string_view content;
};

/// The sample project of the demo: examples/tiny-lm.
const std::vector<EmbeddedFile>& tiny_lm_files();

}  // namespace vastgpu
