#include "server/worker_pool.h"

#include <system_error>

#include "core/log.h"

namespace vastgpu {

WorkerPool::~WorkerPool() {
  {
    const std::scoped_lock hold(mutex_);
    closing_ = true;
  }
  changed_.notify_all();
  threads_.clear();  // joins
}

bool WorkerPool::submit(std::function<void()> job) {
  {
    const std::scoped_lock hold(mutex_);
    if (jobs_.size() >= max_waiting_ + idle_) return false;
    if (jobs_.size() >= idle_ && threads_.size() < workers_) {
      try {
        threads_.emplace_back([this] { work(); });
      } catch (const std::system_error& e) {
        log_fact("cannot start a worker thread: ", e.what());
        if (threads_.empty()) return false;  // nobody would ever run it
      }
    }
    jobs_.push_back(std::move(job));
  }
  changed_.notify_one();
  return true;
}

void WorkerPool::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    ++idle_;
    changed_.wait(lock, [&] { return closing_ || !jobs_.empty(); });
    --idle_;
    if (jobs_.empty()) return;
    std::function<void()> job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    job();
    job = nullptr;  // what it owned ends here, not when the next job comes
    lock.lock();
  }
}

}  // namespace vastgpu
