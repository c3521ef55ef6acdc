#include "tools/tool.h"

#include "core/conceal.h"
#include "core/text.h"

namespace vastgpu {
namespace {

// Clients keep between 12 KB and 25 000 tokens of a result; more is lost or spills into files.
constexpr std::size_t kMaxText = 24'000;
constexpr std::size_t kLeastDetails = 2'000;  // what details may take even when the facts are large
constexpr std::size_t kMaxDetailLine = 2'000;
constexpr std::size_t kMaxLine = 2'000;  // of a summary, an error, a reason

bool continues_character(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

/// Head and tail with a note between them: the newest log lines are at the end, the header at the start.
std::string cut_middle(const std::string& text, std::size_t budget) {
  if (text.size() <= budget) return text;
  std::size_t head = budget / 3;
  std::size_t tail = text.size() - (budget - head);
  while (head > 0 && continues_character(text[head])) --head;
  while (tail < text.size() && continues_character(text[tail])) ++tail;
  const char* around = text.find('\n') == std::string::npos ? " " : "\n";
  return text.substr(0, head) + vastgpu::text(around, "[... ", tail - head, " bytes left out ...]", around) +
         text.substr(tail);
}

/// One line without an end must not push out all the others.
std::string with_short_lines(const std::string& text) {
  std::string out;
  for (const std::string& line : split(text, '\n')) out += cut_middle(line, kMaxDetailLine) + "\n";
  out.pop_back();
  return out;
}

/// A ready call with stars in its arguments would be another call.
bool can_be_shown(const NextCall& call) { return concealed_document(call.arguments) == call.arguments; }

std::string next_lines(const Envelope& e) {
  std::string lines;
  for (const NextCall& call : e.next) {
    if (!can_be_shown(call)) continue;
    lines += "next: " + call.tool + " " + dump(call.arguments);
    if (!call.why.empty()) lines += " - " + concealed(clean_line(call.why, kMaxLine));
    lines += "\n";
  }
  return lines;
}

/// What text and structured content say alike: nothing secret, no control characters.
struct Shown {
  std::string summary, details, next;
  json facts;
};

Shown shown(const Envelope& e) {
  Shown s;
  s.summary = concealed(clean_line(e.summary, kMaxLine));
  s.facts = concealed_document(e.facts.is_object() ? e.facts : json{{"value", e.facts}});
  s.facts["outcome"] = e.outcome;
  s.next = next_lines(e);
  const std::size_t taken = s.summary.size() + dump(s.facts).size() + s.next.size() + 100;
  const std::size_t budget = taken + kLeastDetails < kMaxText ? kMaxText - taken : kLeastDetails;
  s.details = cut_middle(with_short_lines(concealed(clean(e.details, std::string::npos))), budget);
  return s;
}

}  // namespace

json to_structured(const Envelope& e) {
  Shown s = shown(e);
  json j = std::move(s.facts);
  j["summary"] = std::move(s.summary);
  // Some models see only this form, so the details are in it too.
  if (!s.details.empty()) j["details"] = std::move(s.details);
  json next = json::array();
  for (const NextCall& call : e.next)
    if (can_be_shown(call))
      next.push_back({{"tool", call.tool},
                      {"arguments", call.arguments},
                      {"why", concealed(clean_line(call.why, kMaxLine))}});
  j["next"] = std::move(next);
  return j;
}

std::string to_text(const Envelope& e) {
  const Shown s = shown(e);
  std::string out = s.summary + "\n";
  if (!s.details.empty()) out += "\n" + s.details + (s.details.back() == '\n' ? "\n" : "\n\n");
  return out + "facts: " + dump(s.facts) + "\n" + s.next;
}

std::string to_text(const Error& e) {
  std::string out = concealed(clean(e.what.empty() ? "it failed, and nobody said why" : e.what, kMaxLine));
  if (!e.next_step.empty()) out += "\nWhat to do: " + concealed(clean(e.next_step, kMaxLine));
  switch (e.effect) {
    case Effect::none:
      break;
    case Effect::unknown:
      out += "\nIt is not known whether something was changed before this happened.";
      break;
    case Effect::happened:
      out += "\nSomething was changed before this happened, and it stays changed.";
      break;
  }
  static constexpr const char* kEffects[] = {"none", "unknown", "happened"};
  return out + "\nfacts: " +
         dump({{"code", to_string(e.code)}, {"effect", kEffects[static_cast<std::size_t>(e.effect)]}}) + "\n";
}

json envelope_schema() {
  const auto string = [](const char* description) {
    return json{{"type", "string"}, {"description", description}};
  };
  const json next = {{"type", "object"},
                     {"properties",
                      {{"tool", string("Name of a tool of this server")},
                       {"arguments", {{"type", "object"}, {"description", "Ready arguments for it"}}},
                       {"why", string("Why one would call it")}}},
                     {"required", {"tool", "arguments", "why"}}};
  return {{"type", "object"},
          {"properties",
           {{"outcome", string("What came out, in one word")},
            {"summary", string("The same in one sentence for people")},
            {"details", string("A table or log lines for people, when there are any")},
            {"next", {{"type", "array"}, {"description", "Sensible next calls"}, {"items", next}}}}},
          {"required", {"outcome", "summary"}},
          {"additionalProperties", true}};
}

}  // namespace vastgpu
