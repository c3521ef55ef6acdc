#pragma once
// MCP on top of JSON-RPC: tells the eras apart, serves lists at once, hands calls to the workers.
// Everything but the calls runs on the one thread that reads.

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "server/call_log.h"
#include "server/calls.h"
#include "server/progress.h"
#include "server/questions.h"
#include "server/render.h"
#include "server/server.h"
#include "server/subscriptions.h"
#include "server/tasks.h"
#include "server/transport.h"
#include "server/version.h"
#include "server/worker_pool.h"

namespace vastgpu {

/// One process, one client; legacy and modern requests may alternate. One thread.
class Session {
 public:
  /// `parts` and `writer` must outlive it. Starts no thread yet.
  Session(const ServerParts& parts, std::size_t workers, LineWriter& writer);

  void receive(const std::string& line);
  void receive_too_long();
  /// No more input: answers what is open, stops calls, after a moment of grace unless `at_once`.
  void end(bool at_once);

 private:
  struct Incoming {
    std::string method;
    json params;
    Version version;
    Reply reply;
  };
  static Extras extras_of(const ServerParts& parts) {
    return {.watched = parts.resources.marks.of != nullptr,
            .tasks = parts.tasks.store != nullptr,
            .modern_logging = parts.modern_logging};
  }
  /// Where the answers of one line go: straight out, or into one array for a batch.
  using Outlet = Reply::Deliver;
  using Work = std::function<tl::expected<json, RpcError>(CallContext& call)>;

  void receive_message(const json& message, const Outlet& outlet, bool in_batch);
  void refuse_line(const std::optional<json>& id, const RpcError& error, const Outlet& outlet);
  void notice(const Request& notification);
  void dispatch(Incoming in);
  Outlet straight_out();

  void initialize(const json& params, Reply reply);
  void discover(Incoming in);
  void ping(Incoming in);
  void set_log_level(Incoming in);
  void list_tools(Incoming in);
  void list_prompts(Incoming in);
  void get_prompt(Incoming in);
  void list_templates(Incoming in);
  void complete_argument(Incoming in);
  void listen(Incoming in);
  void subscribe(Incoming in);
  void unsubscribe(Incoming in);
  void about_task(Incoming in);
  void call_tool(Incoming in);
  void list_resources(Incoming in);
  void read_resource(Incoming in);
  std::shared_ptr<CallLog> call_log(const Incoming& in, const std::string& logger) const;
  void start(Incoming in, WorkerPool& pool, Work work, const std::string& doing, const json& when_busy);

  const ServerParts& parts_;
  LineWriter& writer_;
  std::optional<Version> legacy_;     ///< what an initialize negotiated
  json legacy_client_;                ///< what its client said there that it can do
  bool spoken_ = false;               ///< a handshake or a modern request was answered
  int log_floor_ = kDefaultLogFloor;  ///< of the legacy session
  Tasks tasks_;
  Subscriptions subscriptions_;
  std::array<std::string, kVersions> tool_lists_;  ///< serialised results, made when first asked for

  // Used by workers, so declared before them and destroyed after.
  Questions questions_;
  CallTable calls_;
  ProgressTicker ticker_;
  WorkerPool tool_workers_;
  WorkerPool resource_workers_;  // of their own: eight waiting tools must not hold up a look at a task
  WorkerPool read_workers_;      // of their own: a cost asks the provider, which may take its time
};

}  // namespace vastgpu
