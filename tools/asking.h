#pragma once
// Asking the person from inside a tool: who can be asked, a form for yes or no, and what came of it. Pure;
// any thread.

#include <optional>
#include <string>
#include <vector>

#include "tools/tool.h"

namespace vastgpu {

/// Whether a client says that it can pass this request on. For elicitation: by form; one that only opens URLs
/// cannot.
bool can_ask(const json& client, const std::string& method = "elicitation/create");

/// A question that is answered by ticking one box.
/// @param box  what the tick says: "Yes, rent it: at most $1.20"
Question yes_or_no(const std::string& key, std::string message, const std::string& box);

struct Choice {
  std::string value, title;
};
/// A question that is answered by picking one; nothing is picked beforehand.
Question one_of(const std::string& key, std::string message, const std::string& label,
                const std::vector<Choice>& choices);

enum class Said {
  nothing,  ///< not asked in this call
  yes,      ///< ticked, or picked
  no,       ///< declined, dismissed, or sent without the tick
  unheard,  ///< asked, but nobody saw it
};
/// What came of the question `key`, made by one of the two above.
Said said(const CallContext& call, const std::string& key);
/// What was picked; empty unless said(...) is yes.
std::string picked(const CallContext& call, const std::string& key);

}  // namespace vastgpu
