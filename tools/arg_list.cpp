#include "tools/arg_list.h"

#include <algorithm>
#include <charconv>

#include "core/spelling.h"
#include "core/text.h"

namespace vastgpu::arg_detail {
namespace {

constexpr std::size_t kMaxItems = 1000;  // of a list of texts
constexpr std::size_t kMaxShown = 80;    // bytes of a refused value that are repeated to the model
constexpr double kExactIntegers =
    9007199254740992.0;  // 2^53: beyond it a JSON float is not an integer any more

std::string kind(const json& value) {
  if (value.is_number()) return "the number " + dump(value);
  if (value.is_string()) return "the text " + clean_line(dump(value), kMaxShown);
  if (value.is_boolean()) return dump(value);
  return std::string(value.is_array() ? "the list " : "the object ") + clean_line(dump(value), kMaxShown);
}

Error wrong(const std::string& name, const std::string& expected, const json& got) {
  return {.code = Code::invalid_argument,
          .what = "argument " + name + ": expected " + expected + ", got " + kind(got),
          .next_step = "call again with " + name + " changed"};
}

std::string plain_number(double value) {
  return dump(std::floor(value) == value && std::abs(value) < kExactIntegers
                  ? json(static_cast<std::int64_t>(value))
                  : json(value));
}

/// "a number from 0.1 to 720"
std::string ranged(const std::string& noun, const ArgRules& rules) {
  if (rules.minimum && rules.maximum)
    return noun + " from " + plain_number(*rules.minimum) + " to " + plain_number(*rules.maximum);
  if (rules.minimum) return noun + " of at least " + plain_number(*rules.minimum);
  if (rules.maximum) return noun + " of at most " + plain_number(*rules.maximum);
  return noun;
}

template <class Number>
bool in_range(Number value, const ArgRules& rules) {
  const auto v = static_cast<double>(value);
  return (!rules.minimum || v >= *rules.minimum) && (!rules.maximum || v <= *rules.maximum);
}

Result<std::string> checked_text(const std::string& name, const json& value, const ArgRules& rules) {
  if (!value.is_string())
    return fail(wrong(name, rules.choices.empty() ? "text" : "one of its words", value));
  const auto& text = value.get_ref<const std::string&>();
  if (!rules.choices.empty() && std::ranges::find(rules.choices, text) == rules.choices.end())
    return fail(wrong(name, "one of " + join(rules.choices, ", "), value));
  if (text.size() > rules.max_length)
    return fail({.code = Code::invalid_argument,
                 .what = vastgpu::text("argument ", name, ": ", text.size(), " bytes of text, ",
                                       rules.max_length, " are allowed"),
                 .next_step = "shorten " + name});
  if (text.find('\0') != std::string::npos)  // C functions further down would see only the part before it
    return fail({.code = Code::invalid_argument,
                 .what = "argument " + name + ": text with a NUL character",
                 .next_step = "call again with plain text in " + name});
  return text;
}

}  // namespace

Result<bool> read_bool(const std::string& name, const json& value) {
  if (!value.is_boolean()) return fail(wrong(name, "true or false", value));
  return value.get<bool>();
}

Result<std::int64_t> read_int(const std::string& name, const json& value, const ArgRules& rules, bool as_text,
                              std::int64_t least, std::int64_t most) {
  std::optional<std::int64_t> number;
  if (value.is_number_unsigned()) {
    if (value.get<std::uint64_t>() <= static_cast<std::uint64_t>(INT64_MAX))
      number = value.get<std::int64_t>();
  } else if (value.is_number_integer()) {
    number = value.get<std::int64_t>();
  } else if (value.is_number_float()) {
    const double d = value.get<double>();
    if (std::floor(d) == d && std::abs(d) <= kExactIntegers) number = static_cast<std::int64_t>(d);
  } else if (as_text && value.is_string()) {
    const auto& digits = value.get_ref<const std::string&>();
    std::int64_t read = 0;
    const auto [end, bad] = std::from_chars(digits.data(), digits.data() + digits.size(), read);
    if (bad == std::errc{} && end == digits.data() + digits.size()) number = read;
  }
  if (!number || *number < least || *number > most || !in_range(*number, rules))
    return fail(wrong(name, ranged("a whole number", rules), value));
  return *number;
}

Result<double> read_double(const std::string& name, const json& value, const ArgRules& rules) {
  if (!value.is_number() || !std::isfinite(value.get<double>()) || !in_range(value.get<double>(), rules))
    return fail(wrong(name, ranged("a number", rules), value));
  return value.get<double>();
}

Result<std::string> read_text(const std::string& name, const json& value, const ArgRules& rules) {
  return checked_text(name, value, rules);
}

Result<std::vector<std::string>> read_texts(const std::string& name, const json& value,
                                            const ArgRules& rules) {
  if (!value.is_array() || value.size() > kMaxItems)
    return fail(wrong(name, vastgpu::text("a list of at most ", kMaxItems, " texts"), value));
  std::vector<std::string> texts;
  for (const json& item : value) {
    auto read = checked_text(vastgpu::text(name, "[", texts.size(), "]"), item, rules);
    if (!read) return fail(std::move(read).error());
    texts.push_back(*std::move(read));
  }
  return texts;
}

Result<json> read_json(const std::string& name, const json& value, const ArgRules& rules) {
  const std::string type = rules.schema ? rules.schema->value("type", "object") : "object";
  const bool fits = type == "object" ? value.is_object() : type == "array" ? value.is_array() : true;
  if (!fits) return fail(wrong(name, type == "object" ? "an object" : "a list", value));
  return value;
}

json property_schema(json type, const ArgRules& rules, const std::string& description) {
  json schema = rules.schema ? *rules.schema : std::move(type);
  schema["description"] = description;
  if (rules.schema) return schema;
  const std::string kind_of = schema.at("type");
  if (kind_of == "integer" || kind_of == "number") {
    const auto bound = [&](double value) {
      return kind_of == "integer" ? json(static_cast<std::int64_t>(value)) : json(value);
    };
    if (rules.minimum) schema["minimum"] = bound(*rules.minimum);
    if (rules.maximum) schema["maximum"] = bound(*rules.maximum);
  }
  if (kind_of == "array") schema["maxItems"] = kMaxItems;
  if (kind_of == "string" || kind_of == "array") {
    json& text = kind_of == "array" ? schema["items"] : schema;
    if (rules.choices.empty()) text["maxLength"] = rules.max_length;
    for (const std::string& word : rules.choices) text["enum"].push_back(word);
  }
  return schema;
}

json object_schema(json properties, json required) {
  json schema = {{"type", "object"}, {"properties", std::move(properties)}, {"additionalProperties", false}};
  if (!required.empty()) schema["required"] = std::move(required);
  return schema;
}

Result<json> checked_object(const json& arguments, const std::vector<std::string>& known) {
  if (arguments.is_null()) return json::object();
  if (!arguments.is_object())
    return fail({.code = Code::invalid_argument,
                 .what = "the arguments must be an object, got " + kind(arguments),
                 .next_step = "call again with an object of named arguments"});
  for (const auto& [name, value] : arguments.items())
    if (std::ranges::find(known, name) == known.end()) return fail(unknown_argument(name, known));
  return arguments;
}

Error unknown_argument(const std::string& name, const std::vector<std::string>& known) {
  const std::string shown = clean_line(name, kMaxShown);
  std::string advice =
      known.empty() ? "call again without arguments" : "known arguments: " + join(known, ", ");
  if (const std::string nearest = nearest_name(shown, known); !nearest.empty())
    advice = "did you mean " + nearest + "? " + advice;
  return {.code = Code::invalid_argument, .what = "unknown argument " + shown, .next_step = advice};
}

Error missing_argument(const std::string& name, const std::string& description) {
  return {.code = Code::invalid_argument,
          .what = "argument " + name + " is missing",
          .next_step = "call again with " + name + ": " + description};
}

}  // namespace vastgpu::arg_detail
