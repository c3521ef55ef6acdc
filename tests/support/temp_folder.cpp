#include "tests/support/temp_folder.h"

#include <fstream>

#include "core/text.h"

namespace vastgpu {

TempFolder::TempFolder()
    : path_(std::filesystem::temp_directory_path() / ("vast-gpu-test-" + random_hex(8))) {
  std::filesystem::create_directories(path_);
}

TempFolder::~TempFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::filesystem::path TempFolder::write(const std::filesystem::path& relative,
                                        std::string_view content) const {
  const auto at = path_ / relative;
  std::filesystem::create_directories(at.parent_path());
  std::ofstream(at, std::ios::binary) << content;
  return at;
}

}  // namespace vastgpu
