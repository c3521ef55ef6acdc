#pragma once
// Questions of a tool to the person, in both eras: a modern client gets them as the result and repeats its
// request with the answers; a legacy one is asked while its call is open. The tool sees the same either way.
// Any thread.

#include "server/ask_memory.h"
#include "server/client_requests.h"
#include "server/request_state.h"
#include "server/version.h"

namespace vastgpu {

/// A request whose work may ask.
struct AskedRequest {
  Version version = Version::v2026_07_28;
  AskedBy by = {};
  json client = json::object();  ///< what the client can be asked, as far as this revision allows
  std::optional<json> state = {}, responses = {};  ///< requestState and inputResponses, as they came
  bool once = true;  ///< an answer counts once: false for work that changes nothing
};

/// `capabilities`: those of the handshake; a modern request brings its own.
AskedRequest asked_request(Version v, AskedBy by, const json& params, const json& capabilities);

/// What one run of the work gave: its result, unless `asks` can be asked.
struct Round {
  tl::expected<json, RpcError> result;
  std::vector<Question> asks = {};
  json state = {};
};

class Questions {
 public:
  Questions(AskMemory memory, ClientRequests::Send send)
      : memory_(std::move(memory)), requests_(std::move(send)) {}

  using Work = std::function<Round(CallContext& call)>;
  /// Runs the work, asks what it asks, and runs it again with the answers; the result of the request.
  /// @error -32602  a state that does not hold; what the work refuses
  tl::expected<json, RpcError> run(const AskedRequest& request, CallContext& call, const Work& work);

  /// For the reading thread: an answer to one of our own requests.
  void answered(const json& response) { requests_.answered(response); }

 private:
  tl::expected<json, RpcError> run_modern(const AskedRequest& request, CallContext& call, const Work& work);
  tl::expected<json, RpcError> run_legacy(const AskedRequest& request, CallContext& call, const Work& work);
  std::optional<json> input_required(RequestState state, const AskedRequest& request) const;
  Answer ask_now(const Question& question, Version v, CallContext& call);

  const AskMemory memory_;
  ClientRequests requests_;
};

}  // namespace vastgpu
