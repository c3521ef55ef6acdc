#pragma once
// What travels with a question and comes back with its answer: sealed, so that it is as we wrote it; bound to
// one request; over after ten minutes. Anybody can read it, so it holds no secrets. Pure functions; any
// thread. It does not make an answer count once: that is the mark's business (AskMemory).

#include "core/clock.h"
#include "core/secret.h"
#include "server/rpc.h"
#include "tools/tool.h"

namespace vastgpu {

/// How long an answer may take.
inline constexpr auto kAskFor = std::chrono::minutes(10);
/// A longer state is neither written nor read.
inline constexpr std::size_t kMaxState = 48'000;

/// The request that a state belongs to.
struct AskedBy {
  std::string method = {};  ///< "tools/call"
  std::string name = {};    ///< of the tool or prompt, or the URI
  json arguments = json::object();
};

struct RequestState {
  std::vector<Question> asks = {};  ///< what is asked still
  json given = json::object();      ///< answers that came and are good: key -> {"action","content"}
  json state = {};                  ///< the tool's own
  TimePoint issued{};               ///< real time, as `expires`
  TimePoint expires{};
  int round = 1;          ///< how often the tool has asked in this call
  bool again = false;     ///< these were asked before, and what came did not fit
  std::string mark = {};  ///< random; names the question where its answer counts once
};

/// Empty when it would be longer than kMaxState.
std::string seal(const RequestState& state, const AskedBy& by, const Secret& key);

/// @error -32602  not ours, changed, over, or of another request; the message does not say which key
tl::expected<RequestState, RpcError> unseal(const std::string& sealed, const AskedBy& by, const Secret& key,
                                            TimePoint now);

}  // namespace vastgpu
