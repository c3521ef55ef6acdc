#pragma once
// The marketplace's filter language: {column: {operator: value}}. Numbers may come as text. Pure functions.

#include <string>
#include <vector>

#include "core/error.h"
#include "core/json.h"

namespace vastgpu::sandbox {

struct Condition {
  std::string column;
  std::string op;  ///< eq neq gt gte lt lte in notin
  json value;
};

/// The conditions of `filters`, without the keys in `not_filters`.
/// @error invalid_argument  a value is not an object of known operators; `what` reads as the API's `msg`
Result<std::vector<Condition>> parse_conditions(const json& filters,
                                                const std::vector<std::string>& not_filters);

/// Numbers compare as numbers even when one side is text; a column that rows do not have is ignored.
bool matches(const json& row, const std::vector<Condition>& conditions);

/// Sorts by [[column, "asc"|"desc"], ...]; null goes last. Anything that is not such a list is ignored.
void sort_rows(std::vector<json>& rows, const json& order);

/// The column of a row that a name in a filter or order means: "reliability" is kept as "reliability2".
std::string stored_column(const std::string& name);

}  // namespace vastgpu::sandbox
