#pragma once
// What is offered while somebody types a value. Any thread.

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace vastgpu {

class Workplace;

struct SuggestRequest {
  /// "instance_id", "experiment", "experiment_or_instance", "quote_id", "request" (the words after /vast-gpu)
  std::string what;
  std::string typed;                               ///< so far
  std::map<std::string, std::string> chosen = {};  ///< the other arguments: {"instance_id": "123"}
};

/// Whole values, best first; may be many. Reads the ledger that is there, and nothing else.
using Suggest = std::function<std::vector<std::string>(const SuggestRequest& request)>;

Suggest suggest_from(Workplace& workplace);

}  // namespace vastgpu
