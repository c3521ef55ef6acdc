#include "tools/output_words.h"

namespace vastgpu::output {
namespace {
json typed(const char* type, const std::string& what) {
  json schema{{"type", type}};
  if (!what.empty()) schema["description"] = what;
  return schema;
}
}  // namespace

json text(const char* what) { return typed("string", what); }
json number(const char* what) { return typed("number", what); }
json whole(const char* what) { return typed("integer", what); }
json flag(const char* what) { return typed("boolean", what); }
json moment(const char* what) { return typed("string", std::string(what) + ", as 2026-10-02T18:00:00Z"); }

json one_of(const std::vector<std::string>& words, const char* what) {
  json schema = typed("string", what);
  schema["enum"] = words;
  return schema;
}

json list(json items, const char* what) {
  json schema = typed("array", what);
  schema["items"] = std::move(items);
  return schema;
}
json texts(const char* what) { return list(typed("string", ""), what); }

json object(const Fields& fields, const char* what) {
  json schema = typed("object", what);
  json required = json::array();
  for (const Field& field : fields) {
    schema["properties"][field.name] = field.schema;
    if (field.always) required.push_back(field.name);
  }
  if (!required.empty()) schema["required"] = std::move(required);
  return schema;
}
json any_object(const char* what) { return typed("object", what); }

json maybe(json schema) {
  schema["type"] = json::array({schema["type"], "null"});
  return schema;
}

Field sometimes(std::string name, json schema) { return {std::move(name), std::move(schema), false}; }

Fields operator+(Fields a, const Fields& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

}  // namespace vastgpu::output
