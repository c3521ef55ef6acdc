#pragma once
// What the Tasks extension needs of the program around it: a durable place for its records, and how the calls
// of each tool are carried on. Any thread.

#include <filesystem>
#include <functional>
#include <memory>
#include <stop_token>
#include <vector>

#include "state/stored_task.h"
#include "tools/tool.h"

namespace vastgpu {

/// Calls are short and never block for longer than a write of another process.
class TaskStore {
 public:
  virtual ~TaskStore() = default;
  virtual TimePoint now() const = 0;
  /// On disk when it returns. Records older than `oldest` may be forgotten. `stop`: the caller no longer
  /// waits.
  virtual Result<void> add(const StoredTask& task, TimePoint oldest, std::stop_token stop) = 0;
  virtual Result<std::optional<StoredTask>> find(const std::string& id) = 0;
  /// False: it is over already and stays as it is.
  virtual Result<bool> change(const StoredTask& task) = 0;
  virtual Result<bool> ask_cancel(const std::string& id) = 0;
  /// The sole right, over all processes, to work on a task; it ends with the process. Null: another has it.
  virtual std::shared_ptr<void> hold(const std::string& id) = 0;
  /// Folders in which something changes when a record does.
  virtual std::vector<std::filesystem::path> folders() const = 0;
};

/// How one tool's calls become tasks. Pure functions.
struct TaskWork {
  enum class Begin {
    never,             ///< it answers at once, or cannot be repeated
    at_once,           ///< the whole call is a task, which may be begun anew after a crash
    after_first_turn,  ///< the call is made as `first_turn` says; what is left after its answer is the task
  };
  std::function<Begin(const std::string& tool, const json& arguments)> begin;
  std::function<json(const std::string& tool, const json& arguments)> first_turn;
  /// The arguments of a turn that waits long.
  std::function<json(const std::string& tool, const json& arguments)> long_turn;
  /// What to call after this answer; harmless to repeat. nullopt: the answer is the end.
  std::function<std::optional<json>(const std::string& tool, const json& arguments, const Envelope& answer)>
      next_turn;
  /// Its turns only look on and may come at any time. Others are not begun again long after their server
  /// ended: by then the machine may be used for something else. Empty: none.
  std::function<bool(const std::string& tool)> only_waits = {};
};

struct TaskParts {
  TaskStore* store = nullptr;  ///< null: no tasks
  TaskWork work = {};
};

}  // namespace vastgpu
