#pragma once
// One list of arguments per tool gives both the input schema and the decoder, so the two cannot drift apart.

#include <functional>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "tools/tool.h"

namespace vastgpu {

/// Bounds and choices of one argument; what is set appears in the schema and is enforced by the decoder.
struct ArgRules {
  std::optional<double> minimum = {};
  std::optional<double> maximum = {};
  std::vector<std::string> choices = {};  ///< plain string enum
  std::size_t max_length = 10'000;        ///< of text, in bytes
  std::optional<json> schema = {};        ///< for json-typed arguments: the property's own schema
};

namespace arg_detail {
/// The JSON Schema type of T: bool, integer, number, string, array of string, object, or an Id/Quantity (by
/// rep).
template <class T>
json type_schema();
/// Refuses a wrong type, a number outside its bounds, a word outside its choices, text that is too long.
/// @error invalid_argument  names the argument, what came and what was expected
template <class T>
Result<T> decode_argument(const std::string& name, const json& value, const ArgRules& rules);
Error unknown_argument(const std::string& name, const std::vector<std::string>& known);
Error missing_argument(const std::string& name, const std::string& description);
}  // namespace arg_detail

/// Built once per tool: ArgList<RentArgs>{}.required("quote_id", &RentArgs::quote, "...").optional(...).
template <class Args>
class ArgList {
 public:
  template <class T>
  ArgList&& required(std::string name, T Args::*member, std::string description, ArgRules rules = {}) && {
    return std::move(*this).add(std::move(name), member, std::move(description), std::move(rules), true);
  }
  /// The member keeps its initial value when the argument is absent or null.
  template <class T>
  ArgList&& optional(std::string name, T Args::*member, std::string description, ArgRules rules = {}) && {
    return std::move(*this).add(std::move(name), member, std::move(description), std::move(rules), false);
  }

  json schema() const;
  /// Unknown names are refused, with the nearest known one in the message.
  Result<Args> decode(const json& arguments) const;

 private:
  struct Field {
    std::string name, description;
    bool required = false;
    json schema;
    std::function<Result<void>(const json& value, Args& into)> read;
  };
  template <class T>
  ArgList&& add(std::string name, T Args::*member, std::string description, ArgRules rules, bool required);
  std::vector<Field> fields_;
};

/// Puts the parts together; the handler sees decoded arguments only.
template <class Args, class Handler>
Tool make_tool(ToolSpec spec, ArgList<Args> args, Handler handler) {
  json schema = args.schema();
  return {std::move(spec), std::move(schema), envelope_schema(),
          [args = std::move(args), handler = std::move(handler)](const json& arguments,
                                                                 CallContext& call) -> Result<Envelope> {
            auto decoded = args.decode(arguments);
            if (!decoded) return fail(std::move(decoded).error());
            return handler(*decoded, call);
          }};
}

}  // namespace vastgpu

#include "tools/arg_list_impl.h"
