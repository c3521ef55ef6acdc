#include "server/call_log.h"

#include <algorithm>
#include <array>

#include "core/conceal.h"
#include "server/rpc.h"

namespace vastgpu {

std::optional<int> log_rank(const json& level) {
  static constexpr std::array kLevels = {"debug", "info",     "notice", "warning",
                                         "error", "critical", "alert",  "emergency"};
  if (!level.is_string()) return std::nullopt;
  const auto at = std::ranges::find(kLevels, level.get_ref<const std::string&>());
  if (at == kLevels.end()) return std::nullopt;
  return static_cast<int>(at - kLevels.begin());
}

void CallLog::write(const std::string& level, const json& data) {
  const auto rank = log_rank(level);
  if (!rank || *rank < floor_) return;
  const std::string message = notification(
      "notifications/message", {{"level", level}, {"logger", logger_}, {"data", concealed_document(data)}});
  const std::scoped_lock hold(mutex_);
  if (send_) send_(message);
}

void CallLog::close() {
  const std::scoped_lock hold(mutex_);
  send_ = nullptr;
}

}  // namespace vastgpu
