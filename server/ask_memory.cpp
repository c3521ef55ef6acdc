#include "server/ask_memory.h"

#include <map>
#include <memory>
#include <mutex>

#include "core/text.h"

namespace vastgpu {

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
  out.now = [] { return SystemClock().now(); };
  return out;
}

}  // namespace vastgpu
