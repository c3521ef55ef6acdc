#include "state/instance_edit.h"

#include <cmath>

#include "core/text.h"
#include "state/json_text.h"

namespace vastgpu {
namespace {

/// How a file separates things, taken from what is there.
struct Layout {
  std::string before_element = "\n  ";  ///< white space in front of an element
  std::string before_member = "\n    ";
  std::string colon = ": ";
};

std::string_view space_before(std::string_view text, std::size_t at) {
  std::size_t begin = at;
  while (begin > 0 && (text[begin - 1] == ' ' || text[begin - 1] == '\t' || text[begin - 1] == '\n' ||
                       text[begin - 1] == '\r'))
    --begin;
  return text.substr(begin, at - begin);
}

/// Members of a multi-line object stand like its last one; of a compact one like the second, after the comma.
void learn_members(std::string_view text, const std::vector<MemberSpan>& members, Layout& layout) {
  if (members.empty()) return;
  const MemberSpan& last = members.back();
  layout.before_member = space_before(text, last.key_text.begin);
  layout.colon = text.substr(last.key_text.end, last.value.begin - last.key_text.end);
}

Layout layout_of(std::string_view text, const std::vector<TextSpan>& elements) {
  Layout layout;
  if (elements.empty()) return layout;
  layout.before_element = space_before(text, elements.back().begin);
  layout.before_member = layout.before_element + "  ";
  for (const TextSpan& element : elements)
    if (text[element.begin] == '{') learn_members(text, member_spans(text, element), layout);
  return layout;
}

std::string member_text(const std::pair<std::string, json>& field, const Layout& layout) {
  return dump(field.first) + layout.colon + dump(field.second);
}

std::string object_text(const Fields& fields, const Layout& layout) {
  const bool lines = layout.before_member.find('\n') != std::string::npos;
  std::string out = "{";
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (i > 0) out += ",";
    if (i > 0 || lines) out += layout.before_member;
    out += member_text(fields[i], layout);
  }
  if (lines) {  // the closing brace stands under the line that opened the object
    const auto line_start = layout.before_element.rfind('\n');
    out += layout.before_member.find("\r\n") != std::string::npos ? "\r\n" : "\n";
    if (line_start != std::string::npos) out += layout.before_element.substr(line_start + 1);
  }
  return out + "}";
}

std::string edited_object(std::string_view text, TextSpan object, const Fields& set) {
  const auto members = member_spans(text, object);
  Layout layout;
  if (members.empty()) layout.before_member.clear();
  learn_members(text, members, layout);
  std::string added;
  std::vector<std::pair<TextSpan, std::string>> replaced;
  for (const auto& field : set) {
    bool found = false;
    for (const MemberSpan& member : members) {
      if (member.key != field.first) continue;
      found = true;
      const auto now = parse_json(member.value.in(text), "value");
      if (!now || *now != field.second) replaced.emplace_back(member.value, dump(field.second));
    }
    if (!found)
      added +=
          (members.empty() && added.empty() ? "" : ",") + layout.before_member + member_text(field, layout);
  }
  std::sort(replaced.begin(), replaced.end(),
            [](const auto& a, const auto& b) { return a.first.begin < b.first.begin; });

  std::string out;
  std::size_t at = object.begin;
  for (const auto& [span, value] : replaced) {
    out += text.substr(at, span.begin - at);
    out += value;
    at = span.end;
  }
  const std::size_t tail = members.empty() ? object.begin + 1 : members.back().value.end;
  out += text.substr(at, tail - at);
  out += added;
  out += text.substr(tail, object.end - tail);
  return out;
}

bool is_entry(const json& element, InstanceId id) { return read_integer(element, "instance_id") == id.value; }

double rounded(double value, double steps) { return std::round(value * steps) / steps; }

std::string with_underscores(std::string name) {
  std::replace(name.begin(), name.end(), ' ', '_');
  return name;
}

Error bad_record(std::string what, std::string next_step) {
  return {.code = Code::invalid_argument, .what = std::move(what), .next_step = std::move(next_step)};
}

}  // namespace

bool has_entry(const json& array, InstanceId id) {
  return std::any_of(array.begin(), array.end(), [&](const json& element) { return is_entry(element, id); });
}

Result<EntryEdit> edit_for(const InstanceRecord& record, bool exists) {
  if (record.id.value <= 0)
    return fail(bad_record("an instance entry needs its id", "write it after the rental is known"));
  const bool reachable = !record.ssh.host.empty() && record.ssh.port != 0;
  if (!exists && record.status.empty())
    return fail(bad_record("a new instance entry needs a status", "write \"running\" once SSH answers"));
  if (!exists && record.status == "running" && !reachable)
    return fail(bad_record(
        "instance " + to_string(record.id) + " cannot be written as running without its SSH address",
        "write it after SSH answered"));
  Fields known;
  Fields whole;
  const auto field = [&](const char* key, bool is_known, json value) {
    if (is_known) known.emplace_back(key, value);
    whole.emplace_back(key, is_known ? std::move(value) : json());
  };
  field("instance_id", true, record.id.value);
  field("offer_id", record.offer.value > 0, record.offer.value);
  field("gpu_name", !record.gpu_name.empty(), with_underscores(clean_line(record.gpu_name)));
  field("num_gpus", record.num_gpus > 0, record.num_gpus);
  field("dph", std::isfinite(record.price.value) && record.price.value > 0, rounded(record.price.value, 1e4));
  field("ssh_url", reachable, to_url(record.ssh));
  field("ssh_host", reachable, record.ssh.host);
  field("ssh_port", reachable, record.ssh.port);
  field("created_at", record.created != TimePoint{}, to_iso8601(record.created));
  field("status", !record.status.empty(), record.status);
  field("experiment", record.experiment.has_value(), record.experiment.value_or(""));
  field("estimated_hours", record.estimated_hours && std::isfinite(record.estimated_hours->count()),
        rounded(record.estimated_hours.value_or(Hours{}).count(), 1e2));
  field("estimated_cost", record.estimated_cost && std::isfinite(record.estimated_cost->value),
        rounded(record.estimated_cost.value_or(Usd{}).value, 1e4));
  if (!record.extra.is_object() && !record.extra.is_null())
    return fail(bad_record("further fields of an instance entry must be an object", "report this as a bug"));
  for (const auto& [key, value] : record.extra.items()) {
    // The prefix alone keeps them apart from the 13 fields, now and when somebody adds a fourteenth.
    if (key.rfind("x_", 0) != 0)
      return fail(bad_record("further field '" + clean_line(key, 60) + "' does not start with x_",
                             "report this as a bug"));
    known.emplace_back(key, value);
    whole.emplace_back(key, value);
  }
  return EntryEdit{.id = record.id, .set = std::move(known), .when_new = std::move(whole)};
}

Result<json> parse_instances(std::string_view text) {
  const std::string name = "vast-instances.json";
  auto parsed = parse_json(text, name);
  if (parsed && parsed->is_array()) return parsed;
  Error why = parsed ? Error{.code = Code::corrupt,
                             .what = name + " is not a JSON array but one " + parsed->type_name()}
                     : std::move(parsed).error();
  if (trim(text).empty()) why.what = name + " is empty";
  try {
    [[maybe_unused]] const json again = json::parse(text);  // only for the position in the message
  } catch (const json::exception& e) {
    why.what += ": " + clean_line(e.what());
  }
  return fail(std::move(why));
}

std::string with_edit(std::string_view text, const EntryEdit& edit) {
  const auto elements = element_spans(text);
  std::string out;
  std::size_t at = 0;
  bool found = false;
  for (const TextSpan& element : elements) {
    const auto parsed = parse_json(element.in(text), "entry");
    if (!parsed || !is_entry(*parsed, edit.id)) continue;
    found = true;
    out += text.substr(at, element.begin - at);
    out += edited_object(text, element, edit.set);
    at = element.end;
  }
  if (found || edit.when_new.empty()) return out + std::string(text.substr(at));

  const Layout layout = layout_of(text, elements);
  const std::size_t tail = elements.empty() ? text.find('[') + 1 : elements.back().end;
  out += text.substr(0, tail);
  out += (elements.empty() ? "" : ",") + layout.before_element + object_text(edit.when_new, layout);
  std::string_view rest = text.substr(tail);
  if (elements.empty()) {
    out += "\n";
    rest = rest.substr(rest.find(']'));
  }
  return out + std::string(rest);
}

}  // namespace vastgpu
