#pragma once
// Who is told when something changes: legacy subscriptions to resources, and the open listens of modern
// clients. One thread of its own looks while anybody listens; the reading thread never waits for it.

#include <chrono>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "server/folder_watch.h"
#include "server/rpc.h"
#include "tools/resource.h"

namespace vastgpu {

/// What can change. A topic is a resource, a task, or the list of resources.
struct Topic {
  enum class Kind { resource, list, task };
  Kind kind = Kind::resource;
  std::string name = {};  ///< URI or task id
  auto operator<=>(const Topic&) const = default;
};

struct Watched {
  ResourceMarks marks = {};
  /// A task as it is told; nullopt: unknown. Empty: there are no tasks.
  std::function<std::optional<json>(const std::string& id)> task = {};
  std::function<std::vector<std::filesystem::path>()> task_folders = {};

  bool resources() const { return marks.of && marks.list; }
};

/// Any thread, but for what is said of the functions in Watched: they run on the thread that looks.
class Subscriptions {
 public:
  using Write = std::function<void(std::string message)>;

  /// Starts no thread. `write` must take messages from any thread.
  Subscriptions(Watched watched, Write write);
  ~Subscriptions();
  Subscriptions(const Subscriptions&) = delete;
  Subscriptions& operator=(const Subscriptions&) = delete;

  /// Legacy. Answered once it is known how the resource stands, so that no change after the answer is missed.
  void subscribe(const std::string& uri, Reply reply);
  /// No update of it is sent after this returns.
  void unsubscribe(const std::string& uri, Reply reply);

  /// Modern. Acknowledged in the same way, with what will be honoured; stays unanswered while it is open.
  /// `knows_tasks`: this request declared the extension.
  void listen(const json& params, bool knows_tasks, Reply reply);
  /// A listen of that id is open. Not for the thread that looks.
  bool has(const json& id) const;
  /// Ends a listen, or a subscribe that is not answered yet, without an answer; false: none has that id.
  bool cancel(const json& id);

  /// Answers every listen and stops looking.
  void end();

 private:
  using SteadyTime = std::chrono::steady_clock::time_point;
  struct Mark {
    std::optional<std::string> value;  ///< nullopt: no such thing
    json state = {};                   ///< of a task
  };
  struct Known {
    std::optional<Mark> mark;  ///< empty: nobody looked yet
    SteadyTime told_at{};
  };
  struct Listen {
    Reply reply;
    std::set<Topic> topics;
    bool open = false;  ///< acknowledged
  };
  struct Subscription {
    std::list<Reply> waiting;  ///< for the first look
    bool open = false;
  };
  std::set<Topic> wanted() const;
  void look_soon();
  void run();
  Mark look_at(const Topic& topic) const;
  std::set<std::filesystem::path> folders_of(const std::set<Topic>& topics) const;
  bool settle(const std::map<Topic, Mark>& looked, SteadyTime now);
  void tell(const Topic& topic, const Mark& mark);
  bool cancel_waiting(const json& id);
  void open_those_known();
  void open_listen(Listen& listen);

  const Watched watched_;
  const Write write_;
  FolderWatch folders_;
  mutable std::mutex mutex_;  // guards those below; held while sending, so that nothing follows an end
  std::map<std::string, Subscription> subscribed_;
  std::map<std::string, Listen> listens_;
  std::map<Topic, Known> known_;
  bool looking_ = false;  ///< the thread runs and will look again
  bool ended_ = false;
  std::jthread thread_;  // last: uses the others
};

}  // namespace vastgpu
