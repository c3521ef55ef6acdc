#include "server/calls.h"

#include <vector>

namespace vastgpu {

bool CallTable::has(const json& id) const {
  const std::scoped_lock hold(mutex_);
  return open_.contains(dump(id));
}

std::shared_ptr<Call> CallTable::open(Reply reply, std::shared_ptr<CallProgress> progress) {
  auto call = std::make_shared<Call>();
  call->key = dump(reply.id());
  call->progress = std::move(progress);
  call->reply.emplace(std::move(reply));
  const std::scoped_lock hold(mutex_);
  open_[call->key] = call;
  return call;
}

std::optional<Reply> CallTable::finish(Call& call) {
  std::optional<Reply> reply;
  {
    const std::scoped_lock hold(mutex_);
    if (!call.reply) return std::nullopt;
    reply.emplace(*std::move(call.reply));
    call.reply.reset();
    open_.erase(call.key);
  }
  changed_.notify_all();
  if (call.progress) call.progress->close();
  return reply;
}

void CallTable::cancel(const json& id) {
  std::shared_ptr<Call> call;
  std::optional<Reply> reply;
  {
    const std::scoped_lock hold(mutex_);
    const auto at = open_.find(dump(id));
    if (at == open_.end()) return;
    call = std::move(at->second);
    open_.erase(at);
    reply.emplace(*std::move(call->reply));
    call->reply.reset();
  }
  changed_.notify_all();
  if (call->progress) call->progress->close();
  std::move(*reply).abandon();
  call->stop.request_stop();
}

void CallTable::stop_all() {
  ending_ = true;  // first: a worker that becomes free by the stops below must not begin a waiting call
  std::vector<std::shared_ptr<Call>> calls;
  {
    const std::scoped_lock hold(mutex_);
    for (const auto& [key, call] : open_) calls.push_back(call);
  }
  for (const auto& call : calls)
    call->stop.request_stop();  // runs the callbacks of tools: not under our lock
}

bool CallTable::wait_empty(std::chrono::milliseconds limit) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, limit, [&] { return open_.empty(); });
}

}  // namespace vastgpu
