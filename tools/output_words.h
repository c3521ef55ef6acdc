#pragma once
// The words in which an output schema is written: one field, one type, one description with its unit. Pure.

#include <string>
#include <vector>

#include "core/json.h"

namespace vastgpu::output {

/// One field of an object. `always`: it is in every one of them.
struct Field {
  std::string name;
  json schema;
  bool always = true;
};
using Fields = std::vector<Field>;

json text(const char* what);
json number(const char* what);
json whole(const char* what);  ///< an integer
json flag(const char* what);
json moment(const char* what);  ///< a time, as all of ours are written
json one_of(const std::vector<std::string>& words, const char* what);
json texts(const char* what);  ///< a list of strings
json list(json items, const char* what);
json object(const Fields& fields, const char* what = "");
json any_object(const char* what);
/// The same, or null: not known, or none.
json maybe(json schema);
/// In some answers only.
Field sometimes(std::string name, json schema);

Fields operator+(Fields a, const Fields& b);

}  // namespace vastgpu::output
