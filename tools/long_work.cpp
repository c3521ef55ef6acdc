#include "tools/long_work.h"

#include <algorithm>

namespace vastgpu {
namespace {

constexpr int kLongestWait = 600;  // seconds: what wait_seconds allows
constexpr int kShortWait = 5;      // enough for a lock that another call holds for a moment

bool is_true(const json& arguments, const char* name) {
  return read_field<bool>(arguments, name).value_or(false);
}

bool waits(const std::string& tool) { return tool != "collect"; }  // it has no wait_seconds

/// The same tool among the next calls that an answer proposes.
const NextCall* proposed(const std::string& tool, const Envelope& answer) {
  const auto at = std::ranges::find(answer.next, tool, &NextCall::tool);
  return at == answer.next.end() ? nullptr : &*at;
}

bool goes_on(const std::string& tool, const Envelope& e) {
  const auto is = [&](std::initializer_list<const char*> words) {
    return std::ranges::any_of(words, [&](const char* word) { return e.outcome == word; });
  };
  if (tool == "rent") return is({"booting", "unsettled"});
  if (tool == "setup") return is({"sending", "installing"});
  if (tool == "run") return is({"canary_running"});
  if (tool == "monitor") return is({"queued", "starting", "running"});
  if (tool == "extend") return is({"starting"});
  if (tool == "destroy") return is({"destroying"});
  // Only while more comes home: what cannot come stays away however often one asks.
  if (tool == "collect" && is({"incomplete"})) {
    const json receipt = read_field<json>(e.facts, "receipt").value_or(json());
    return read_integer(receipt, "fetched_now").value_or(0) > 0;
  }
  return false;
}

}  // namespace

LongWork long_work(const std::string& tool, const json& arguments) {
  using enum LongWork;
  if (tool == "rent" || tool == "extend") return after_first_turn;
  if (tool == "setup" || tool == "collect") return at_once;
  // Values of an environment are kept nowhere, so such a trial cannot be carried on from a record.
  if (tool == "run")
    return is_true(arguments, "canary") && !arguments.contains("env") ? after_first_turn : none;
  if (tool == "monitor") return read_number(arguments, "wait_seconds").value_or(0) > 0 ? at_once : none;
  if (tool == "destroy") return is_true(arguments, "discard_results") ? after_first_turn : at_once;
  // destroy-all never: which machines it means depends on the project of the server that is asked, and on the
  // moment.
  return none;
}

// rent: a quote rents nothing more once its machine was ready, was destroyed on request, or half its lease is
// over.
bool only_waits(const std::string& tool) { return tool == "monitor" || tool == "rent"; }

json short_turn(const std::string& tool, json arguments) {
  if (waits(tool)) arguments["wait_seconds"] = kShortWait;
  return arguments;
}

json long_turn(const std::string& tool, json arguments) {
  if (waits(tool)) arguments["wait_seconds"] = kLongestWait;
  return arguments;
}

std::optional<json> next_turn(const std::string& tool, const json& arguments, const Envelope& answer) {
  if (!goes_on(tool, answer)) return std::nullopt;
  if (tool == "destroy") {  // it was asked for: the rest is reading back
    return json{{"instance_id", read_field<json>(arguments, "instance_id").value_or(json())}};
  }
  if (tool == "collect") return arguments;
  const NextCall* next = proposed(tool, answer);
  if (next == nullptr) return std::nullopt;
  // What began it (an envelope, an offer, hours to add) is done and must not come again.
  if (tool == "rent" || tool == "extend") return next->arguments;
  json on = arguments;
  on.update(next->arguments);
  return on;
}

}  // namespace vastgpu
