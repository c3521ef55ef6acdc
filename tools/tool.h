#pragma once
// What a tool is: a spec, a list of arguments that is both schema and decoder, and a handler that returns an
// envelope. Tools never change after start and may be called from any thread, side by side.

#include <functional>
#include <map>
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

/// Something that only the person (or the client) can answer. Every one of them can also be answered by an
/// ordinary argument of the tool, so that a client that cannot ask gets its work done all the same.
struct Question {
  std::string key;  ///< names its answer in CallContext::answers; unique in one envelope
  std::string message = {};
  json schema = {};  ///< a flat form in the words of 2025-11-25: object, properties, required
  /// "elicitation/create" unless it is another request to the client, which then takes `params` as they are.
  std::string method = "elicitation/create";
  json params = {};
};

struct Answer {
  enum class Action {
    accept,
    decline,
    cancel,
    not_asked,  ///< nobody saw the question: the client cannot ask, failed, or declined faster than one reads
  };
  Action action = Action::not_asked;
  json content = json::object();  ///< of an accepted form; checked against its schema. Else the raw result
};

/// One call under way.
struct CallContext {
  std::stop_token stop;  ///< cancelled, or the server ends
  std::function<void(double progress, const std::string& message)>
      progress;  ///< never empty; any pace, throttled above

  /// What was answered to Envelope::asks of the same call; empty the first time.
  std::map<std::string, Answer> answers = {};
  /// What Envelope::ask_state said when it was asked; came back unchanged and in time, and was not used
  /// before.
  json ask_state = {};
  /// What this client can do, in the words of the newest revision: {"elicitation":{"form":{}}}. A claim.
  json client = json::object();
  /// A message for the client's log ("warning", ...); empty where nobody listens. Data: a string or an
  /// object.
  std::function<void(const std::string& level, const json& data)> log = {};
};

/// A ready call of another tool: what a sensible assistant would do next.
struct NextCall {
  std::string tool;
  json arguments = json::object();
  std::string why = {};
};

/// A resource that belongs to an answer.
struct ResourceLink {
  std::string uri;
  std::string name;
  std::string mime_type = "application/json";
};

/// Every answer of every tool. The same facts travel as text and as structured content.
struct Envelope {
  std::string outcome;          ///< one word: "ready", "booting", "destroyed"...
  std::string summary;          ///< one sentence a person can read
  json facts = json::object();  ///< flat where possible; units in the names
  std::string details = {};     ///< optional text block for people (a table, log lines); already cleaned
  std::vector<NextCall> next = {};
  std::vector<ResourceLink> links =
      {};  ///< where there is more to read; repeated in the text by whoever adds them

  /// Content blocks in the protocol's words (image, audio, resource...) that stand in place of the text. An
  /// envelope of blocks alone has no outcome and no structured content.
  std::vector<json> blocks = {};

  /// What must be known before this goes on. Where the client can ask, the tool is called again with the same
  /// arguments and the answers; else this envelope is the answer, and says which argument answers it.
  std::vector<Question> asks = {};
  json ask_state = {};  ///< handed back in CallContext::ask_state; holds no secrets
};

struct Tool {
  ToolSpec spec;
  json input_schema;  ///< root "type":"object", additionalProperties false
  json output_schema = {};  ///< null: none, and no structured content
  std::function<Result<Envelope>(const json& arguments, CallContext& call)> call;
  /// Makes the output schema when it is listed: a large one costs time and memory that a start must not take.
  /// Empty: `output_schema` as it stands.
  std::function<json()> make_output_schema = {};
  std::string view = {};  ///< "ui://..." of the page that shows its answers; empty: none
  /// Client capabilities without which a modern call cannot be served at all: {"sampling":{}}. Ours need none,
  /// since every question of theirs can be answered by an argument.
  json needs = json::object();
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
