#pragma once
// A fixed number of threads that run jobs from a bounded queue. Threads start when they are first needed.

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace vastgpu {

/// Any thread may submit. The destructor runs what is still queued, then joins.
class WorkerPool {
 public:
  WorkerPool(std::size_t workers, std::size_t max_waiting) : workers_(workers), max_waiting_(max_waiting) {}
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  /// False when too many jobs wait already. A job must not throw.
  bool submit(std::function<void()> job);

 private:
  void work();
  const std::size_t workers_, max_waiting_;
  std::mutex mutex_;
  std::deque<std::function<void()>> jobs_;
  std::size_t idle_ = 0;
  bool closing_ = false;
  std::condition_variable changed_;
  std::vector<std::jthread> threads_;
};

}  // namespace vastgpu
