#include "server/progress.h"

#include <cmath>

#include "core/conceal.h"
#include "core/text.h"
#include "server/rpc.h"

namespace vastgpu {
namespace {

constexpr double kStep = 0.001;        // how much a heartbeat moves: visible as a number, invisible as a bar
constexpr std::size_t kMaxText = 500;  // one line in a client's status area

}  // namespace

void CallProgress::report(double progress, const std::string& text, SteadyTime now) {
  const std::scoped_lock hold(mutex_);
  if (closed_) return;
  if (std::isfinite(progress)) wanted_ = progress;
  text_ = concealed(clean_line(text, kMaxText));
  if (now - sent_at_ >= kMinGap)
    send_locked(text_, now);
  else
    kept_ = true;
}

void CallProgress::tick(SteadyTime now) {
  const std::scoped_lock hold(mutex_);
  if (closed_) return;
  if (kept_ && now - sent_at_ >= kMinGap) {
    send_locked(text_, now);
  } else if (now - std::max(sent_at_, started_) >= kHeartbeat) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now - started_).count();
    send_locked(vastgpu::text(text_, " (", seconds, " s)"), now);
  }
}

void CallProgress::close() {
  const std::scoped_lock hold(mutex_);
  closed_ = true;
}

void CallProgress::send_locked(const std::string& text, SteadyTime now) {
  kept_ = false;
  sent_at_ = now;
  last_sent_ = std::max(wanted_, last_sent_ + kStep);
  json params = {{"progressToken", token_}, {"progress", last_sent_}};
  if (with_text_ && !text.empty()) params["message"] = text;
  send_(notification("notifications/progress", params));
}

void ProgressTicker::add(const std::shared_ptr<CallProgress>& call) {
  const std::scoped_lock hold(mutex_);
  calls_.push_back(call);
  if (!thread_.joinable()) thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
  changed_.notify_one();
}

void ProgressTicker::run(const std::stop_token& stop) {
  std::vector<std::shared_ptr<CallProgress>> open;
  while (!stop.stop_requested()) {
    {
      std::unique_lock lock(mutex_);
      if (!changed_.wait(lock, stop, [&] { return !calls_.empty(); })) return;
      changed_.wait_for(lock, stop, CallProgress::kMinGap / 2, [] { return false; });
      std::erase_if(calls_, [](const auto& call) { return call.expired(); });
      for (const auto& call : calls_)
        if (auto alive = call.lock()) open.push_back(std::move(alive));
    }
    for (const auto& call : open) call->tick(std::chrono::steady_clock::now());
    open.clear();
  }
}

}  // namespace vastgpu
