// Apart from the rest of AskMemory: the protocol engine knows no ledger and no files.
#include "server/ask_memory.h"
#include "state/ask_marks.h"

namespace vastgpu {

AskMemory lasting_memory(const std::filesystem::path& state_folder) {
  const auto marks = std::make_shared<AskMarks>(state_folder);
  AskMemory out;
  out.key = [marks] { return marks->key(); };
  out.take = [marks](const std::string& mark, TimePoint until, TimePoint now) {
    return marks->take(mark, until, now);
  };
  out.now = [] { return SystemClock().now(); };
  return out;
}

}  // namespace vastgpu
