#pragma once
// The Tasks extension: calls that take minutes go on after their request was answered, on record, so that any
// server of this computer can tell how they stand and carry on those whose server died.

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "server/rpc.h"
#include "server/task_store.h"
#include "server/worker_pool.h"

namespace vastgpu {

inline constexpr const char* kTasksExtension = "io.modelcontextprotocol/tasks";

/// Whether the client of this request takes a task for an answer.
bool takes_tasks(const json& params);
/// What a client is told that asks about tasks without having said that it knows them.
RpcError tasks_undeclared();

/// Any thread; not the one that reads, since records lie on disk. The destructor stops what runs here and
/// leaves it on record as working.
class Tasks {
 public:
  using Answer = tl::expected<json, RpcError>;

  /// Both must outlive it. Starts no thread.
  Tasks(const std::vector<Tool>& tools, const TaskParts& parts);
  ~Tasks();
  Tasks(const Tasks&) = delete;
  Tasks& operator=(const Tasks&) = delete;

  bool offered() const { return parts_.store != nullptr; }

  /// How a call by a client that takes tasks is to be made.
  struct Turn {
    json arguments;
    std::optional<json> created;  ///< the whole call became a task: this is its answer, and nothing is to do
  };
  /// `stop`: of this call. One that is cancelled becomes no task.
  Turn before(const Tool& tool, json arguments, const std::stop_token& stop = {});
  /// What is left to do after this answer, as a task; nullopt: the answer itself is to be sent.
  std::optional<json> after(const Tool& tool, const json& arguments, const Envelope& answer,
                            const std::stop_token& stop = {});

  Answer get(const json& params);
  Answer update(const json& params);
  Answer cancel(const json& params);

  /// The task as it is told; nullopt: unknown, forgotten, or not readable now. One whose server died is
  /// carried on.
  std::optional<json> state(const std::string& id);

  /// Waits until nothing runs here, this long at most.
  void await_idle(std::chrono::nanoseconds at_most, const std::stop_token& stop);

  /// What runs here stops soon; nothing new begins.
  void stop();

 private:
  struct Running {
    std::mutex mutex;  // guards the three below
    StoredTask record;
    bool told = true;  ///< the message is on record
    std::chrono::steady_clock::time_point told_at = std::chrono::steady_clock::now();
    std::atomic<bool> cancelled{false};
    std::stop_source stop;
    std::shared_ptr<void> hold;
  };
  tl::expected<StoredTask, RpcError> asked_for(const json& params);
  /// nullopt: never heard of, or forgotten. @error of the store: it may well be there
  Result<std::optional<StoredTask>> known(const std::string& id);
  std::optional<json> create(const Tool& tool, json arguments, std::string message,
                             const std::stop_token& stop);
  bool has_room_for(const std::string& tool) const;
  bool begin(const StoredTask& record, std::shared_ptr<void> hold);
  void take_over(const std::string& id);
  bool too_late_for(const StoredTask& task) const;
  void work(Running& task);
  /// True: it goes on with the arguments that are then on record.
  bool turn(Running& task, const Tool& tool);
  void finish(Running& task, const std::function<void(StoredTask&)>& how);
  void mind(const std::stop_token& stop);
  bool runs_here(const std::string& id);
  const Tool* find(const std::string& name) const;

  const std::vector<Tool>& tools_;
  const TaskParts& parts_;
  std::atomic<bool> ending_{false};
  std::mutex mutex_;  // guards running_
  std::map<std::string, std::shared_ptr<Running>> running_;
  std::condition_variable_any changed_;
  std::jthread minder_;  // started with the first task; uses the above
  WorkerPool workers_;   // last: joins before what they use goes away
};

}  // namespace vastgpu
