#pragma once
// The part of arg_list.h that has to be a template. Include that one.

#include <chrono>
#include <cmath>
#include <limits>

#include "core/ids.h"
#include "core/units.h"

namespace vastgpu {
namespace arg_detail {

// The readers behind decode_argument. All refuse with invalid_argument.
Result<bool> read_bool(const std::string& name, const json& value);
/// Takes 3 and 3.0; "3" only when `as_text` allows it.
Result<std::int64_t> read_int(const std::string& name, const json& value, const ArgRules& rules, bool as_text,
                              std::int64_t least, std::int64_t most);
Result<double> read_double(const std::string& name, const json& value, const ArgRules& rules);
Result<std::string> read_text(const std::string& name, const json& value, const ArgRules& rules);
Result<std::vector<std::string>> read_texts(const std::string& name, const json& value,
                                            const ArgRules& rules);
Result<json> read_json(const std::string& name, const json& value, const ArgRules& rules);

/// The schema of one property: its type, its rules, what it means.
json property_schema(json type, const ArgRules& rules, const std::string& description);
/// The root of an input schema.
json object_schema(json properties, json required);
/// The object to decode; an absent one is empty.
/// @error invalid_argument  not an object, or it holds a name that is not known
Result<json> checked_object(const json& arguments, const std::vector<std::string>& known);

/// Schema and reader of one type.
template <class T>
struct ArgType;

template <>
struct ArgType<bool> {
  static json schema() { return {{"type", "boolean"}}; }
  static Result<bool> read(const std::string& name, const json& value, const ArgRules&) {
    return read_bool(name, value);
  }
};

template <class Int>
struct IntType {
  static json schema() { return {{"type", "integer"}}; }
  static Result<Int> read(const std::string& name, const json& value, const ArgRules& rules) {
    using Limits = std::numeric_limits<Int>;
    return read_int(name, value, rules, false, Limits::min(), Limits::max()).map([](std::int64_t v) {
      return static_cast<Int>(v);
    });
  }
};
template <>
struct ArgType<int> : IntType<int> {};
template <>
struct ArgType<std::int64_t> : IntType<std::int64_t> {};

template <>
struct ArgType<double> {
  static json schema() { return {{"type", "number"}}; }
  static Result<double> read(const std::string& name, const json& value, const ArgRules& rules) {
    return read_double(name, value, rules);
  }
};

template <>
struct ArgType<std::string> {
  static json schema() { return {{"type", "string"}}; }
  static Result<std::string> read(const std::string& name, const json& value, const ArgRules& rules) {
    return read_text(name, value, rules);
  }
};

template <>
struct ArgType<std::vector<std::string>> {
  static json schema() { return {{"type", "array"}, {"items", {{"type", "string"}}}}; }
  static Result<std::vector<std::string>> read(const std::string& name, const json& value,
                                               const ArgRules& rules) {
    return read_texts(name, value, rules);
  }
};

template <>
struct ArgType<json> {
  static json schema() { return {{"type", "object"}}; }
  static Result<json> read(const std::string& name, const json& value, const ArgRules& rules) {
    return read_json(name, value, rules);
  }
};

/// Models copy ids out of text, so "123" is taken as well.
template <class Tag>
struct ArgType<Id<Tag>> {
  static json schema() { return {{"type", "integer"}}; }
  static Result<Id<Tag>> read(const std::string& name, const json& value, const ArgRules& rules) {
    using Limits = std::numeric_limits<std::int64_t>;
    return read_int(name, value, rules, true, Limits::min(), Limits::max()).map([](std::int64_t v) {
      return Id<Tag>{v};
    });
  }
};

template <class Tag>
struct ArgType<Quantity<Tag>> {
  static json schema() { return {{"type", "number"}}; }
  static Result<Quantity<Tag>> read(const std::string& name, const json& value, const ArgRules& rules) {
    return read_double(name, value, rules).map([](double v) { return Quantity<Tag>{v}; });
  }
};

template <class Period>
struct ArgType<std::chrono::duration<double, Period>> {
  using Span = std::chrono::duration<double, Period>;
  static json schema() { return {{"type", "number"}}; }
  static Result<Span> read(const std::string& name, const json& value, const ArgRules& rules) {
    return read_double(name, value, rules).map([](double v) { return Span(v); });
  }
};

template <class T>
struct ArgType<std::optional<T>> {
  static json schema() { return ArgType<T>::schema(); }
  static Result<std::optional<T>> read(const std::string& name, const json& value, const ArgRules& rules) {
    return ArgType<T>::read(name, value, rules).map([](T v) { return std::optional<T>(std::move(v)); });
  }
};

template <class T>
json type_schema() {
  return ArgType<T>::schema();
}
template <class T>
Result<T> decode_argument(const std::string& name, const json& value, const ArgRules& rules) {
  return ArgType<T>::read(name, value, rules);
}

}  // namespace arg_detail

template <class Args>
template <class T>
ArgList<Args>&& ArgList<Args>::add(std::string name, T Args::*member, std::string description, ArgRules rules,
                                   bool required) {
  Field field{.name = name, .description = description, .required = required, .schema = {}, .read = {}};
  field.schema = arg_detail::property_schema(arg_detail::type_schema<T>(), rules, description);
  field.read = [name, member, rules = std::move(rules)](const json& value, Args& into) -> Result<void> {
    auto decoded = arg_detail::decode_argument<T>(name, value, rules);
    if (!decoded) return fail(std::move(decoded).error());
    into.*member = *std::move(decoded);
    return {};
  };
  fields_.push_back(std::move(field));
  return std::move(*this);
}

template <class Args>
json ArgList<Args>::schema() const {
  json properties = json::object();
  json required = json::array();
  for (const Field& field : fields_) {
    properties[field.name] = field.schema;
    if (field.required) required.push_back(field.name);
  }
  return arg_detail::object_schema(std::move(properties), std::move(required));
}

template <class Args>
Result<Args> ArgList<Args>::decode(const json& arguments) const {
  std::vector<std::string> known;
  for (const Field& field : fields_) known.push_back(field.name);
  const auto object = arg_detail::checked_object(arguments, known);
  if (!object) return fail(object.error());

  Args args{};
  for (const Field& field : fields_) {
    const auto value = object->find(field.name);
    if (value == object->end() || value->is_null()) {
      if (field.required) return fail(arg_detail::missing_argument(field.name, field.description));
    } else if (auto read = field.read(*value, args); !read) {
      return fail(std::move(read).error());
    }
  }
  return args;
}

}  // namespace vastgpu
