#pragma once
// What a tool is: a spec, a list of arguments that is both schema and decoder, and a handler that returns an
// envelope. Tools never change after start and may be called from any thread, side by side.

#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/json.h"

namespace vastgpu {

/// What a call can do to the world. Gives the four MCP annotations.
enum class ToolEffect {
  read_only,     ///< changes nothing anywhere
  writes_files,  ///< writes at home or on a machine we rent; repeatable
  spends_money,  ///< may rent, or make a rental last longer
  destroys,      ///< ends machines for good
};

struct ToolSpec {
  std::string name;              ///< one of the ten
  std::string title = {};        ///< "Rent a machine"
  std::string description = {};  ///< for the model: what, when, what it costs; the first 2 KB count
  ToolEffect effect = ToolEffect::read_only;
};

/// One call under way.
struct CallContext {
  std::stop_token stop;  ///< cancelled, or the server ends
  std::function<void(double progress, const std::string& message)>
      progress;  ///< never empty; any pace, throttled above
};

/// A ready call of another tool: what a sensible assistant would do next.
struct NextCall {
  std::string tool;
  json arguments = json::object();
  std::string why = {};
};

/// Every answer of every tool. The same facts travel as text and as structured content.
struct Envelope {
  std::string outcome;          ///< one word: "ready", "booting", "destroyed"...
  std::string summary;          ///< one sentence a person can read
  json facts = json::object();  ///< flat where possible; units in the names
  std::string details = {};     ///< optional text block for people (a table, log lines); already cleaned
  std::vector<NextCall> next = {};
};

struct Tool {
  ToolSpec spec;
  json input_schema;  ///< root "type":"object", additionalProperties false
  json output_schema;
  std::function<Result<Envelope>(const json& arguments, CallContext& call)> call;
};

/// {"outcome","summary",facts...,"next":[...]}: the structured content.
json to_structured(const Envelope& e);
/// The same facts as text: summary, details, the facts as JSON, next steps.
std::string to_text(const Envelope& e);
/// The text of a failure: what, next step, and whether something may have changed. Carries every fact of the
/// error.
std::string to_text(const Error& e);
/// The output schema shared by all tools: outcome and summary required, further facts allowed.
json envelope_schema();

}  // namespace vastgpu
