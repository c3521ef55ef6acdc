#include "server/ask_memory.h"

#include <map>
#include <memory>
#include <mutex>

#include "core/text.h"
#include "state/ask_marks.h"

namespace vastgpu {
namespace {

TimePoint real_time() { return SystemClock().now(); }

}  // namespace

AskMemory process_memory() {
  struct Memory {
    const Secret key{random_hex(32)};
    std::mutex mutex;
    std::map<std::string, TimePoint> taken;
  };
  const auto memory = std::make_shared<Memory>();
  AskMemory out;
  out.key = [memory]() -> Result<Secret> { return memory->key; };
  out.take = [memory](const std::string& mark, TimePoint until, TimePoint now) -> Result<bool> {
    const std::scoped_lock hold(memory->mutex);
    std::erase_if(memory->taken, [&](const auto& one) { return one.second < now; });
    return memory->taken.emplace(mark, until).second;
  };
  out.now = real_time;
  return out;
}

AskMemory lasting_memory(const std::filesystem::path& state_folder) {
  const auto marks = std::make_shared<AskMarks>(state_folder);
  AskMemory out;
  out.key = [marks] { return marks->key(); };
  out.take = [marks](const std::string& mark, TimePoint until, TimePoint now) {
    return marks->take(mark, until, now);
  };
  out.now = real_time;
  return out;
}

}  // namespace vastgpu
