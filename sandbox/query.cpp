#include "sandbox/query.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <optional>

#include "core/text.h"

namespace vastgpu::sandbox {
namespace {

const std::vector<std::string> kOperators{"eq", "neq", "gt", "gte", "lt", "lte", "in", "notin"};

std::optional<double> number(const json& v) {
  if (v.is_boolean()) return v.get<bool>() ? 1 : 0;
  if (v.is_number()) return v.get<double>();
  if (!v.is_string()) return std::nullopt;
  const auto& s = v.get_ref<const std::string&>();
  if (s == "true" || s == "True") return 1;
  if (s == "false" || s == "False") return 0;
  double value = 0;
  const auto [end, bad] = std::from_chars(s.data(), s.data() + s.size(), value);
  if (bad != std::errc{} || end != s.data() + s.size() || s.empty()) return std::nullopt;
  return value;
}

/// -1, 0, 1; nullopt when the two cannot be compared.
std::optional<int> compare(const json& a, const json& b) {
  if (a.is_null() || b.is_null()) return std::nullopt;
  const bool as_text = a.is_string() && b.is_string();
  if (!as_text) {
    const auto x = number(a);
    const auto y = number(b);
    if (x && y) return *x < *y ? -1 : *x > *y ? 1 : 0;
    return std::nullopt;
  }
  const auto& x = a.get_ref<const std::string&>();
  const auto& y = b.get_ref<const std::string&>();
  return x < y ? -1 : x > y ? 1 : 0;
}

/// A country is two upper-case letters and matches the end of "Oregon, US"; no other spelling matches
/// anything.
bool same_place(const json& row_value, const json& wanted) {
  if (!row_value.is_string() || !wanted.is_string()) return row_value.is_null() && wanted.is_null();
  const auto& place = row_value.get_ref<const std::string&>();
  const auto& code = wanted.get_ref<const std::string&>();
  if (code.size() != 2 || !std::isupper(static_cast<unsigned char>(code[0])) ||
      !std::isupper(static_cast<unsigned char>(code[1])))
    return false;
  return place.size() >= 2 && place.substr(place.size() - 2) == code;
}

bool equal(const std::string& column, const json& row_value, const json& wanted) {
  if (column == "geolocation") return same_place(row_value, wanted);
  if (row_value.is_null() || wanted.is_null()) return row_value.is_null() && wanted.is_null();
  return compare(row_value, wanted) == 0;
}

bool holds(const json& row_value, const Condition& c) {
  if (c.op == "eq") return equal(c.column, row_value, c.value);
  if (c.op == "neq") return !equal(c.column, row_value, c.value);
  if (c.op == "in" || c.op == "notin") {
    const bool found = c.value.is_array() && std::ranges::any_of(c.value, [&](const json& one) {
                         return equal(c.column, row_value, one);
                       });
    return found == (c.op == "in");
  }
  const auto order = compare(row_value, c.value);
  if (!order) return false;
  if (c.op == "gt") return *order > 0;
  if (c.op == "gte") return *order >= 0;
  if (c.op == "lt") return *order < 0;
  return *order <= 0;
}

/// The value a condition looks at; nullptr when rows have no such column. `made` holds a computed one.
const json* value_of(const json& row, const Condition& c, json& made) {
  if (c.column == "verified") {
    made = row.value("verification", json()) == "verified";
    return &made;
  }
  if (c.column == "datacenter") {
    made = read_number(row, "hosting_type").value_or(0) >= 1;
    return &made;
  }
  if (c.column == "driver_version" && number(c.value)) {
    made = row.value("driver_vers", json());
    return &made;
  }
  const auto at = row.find(stored_column(c.column));
  return at == row.end() ? nullptr : &*at;
}

}  // namespace

std::string stored_column(const std::string& name) {
  if (name == "reliability") return "reliability2";
  if (name == "dph") return "dph_total";
  if (name == "cuda_vers") return "cuda_max_good";
  if (name == "dlperf_usd") return "dlperf_per_dphtotal";
  if (name == "flops_usd") return "flops_per_dphtotal";
  if (name == "display_active") return "gpu_display_active";
  return name;
}

Result<std::vector<Condition>> parse_conditions(const json& filters,
                                                const std::vector<std::string>& not_filters) {
  if (!filters.is_object())
    return fail({.code = Code::invalid_argument, .what = "q: Input should be a valid dictionary"});
  std::vector<Condition> out;
  for (const auto& [column, wanted] : filters.items()) {
    if (std::ranges::find(not_filters, column) != not_filters.end()) continue;
    if (!wanted.is_object())
      return fail({.code = Code::invalid_argument,
                   .what = "q." + column + ": Input should be a valid dictionary; got " + dump(wanted)});
    for (const auto& [op, value] : wanted.items()) {
      if (std::ranges::find(kOperators, op) == kOperators.end())
        return fail({.code = Code::invalid_argument,
                     .what = "q." + column + "." + clean_line(op, 40) + ": Extra inputs are not permitted"});
      if ((op == "in" || op == "notin") && !value.is_array())
        return fail(
            {.code = Code::invalid_argument, .what = "q." + column + "." + op + ": Input should be a list"});
      out.push_back({column, op, value});
    }
  }
  return out;
}

bool matches(const json& row, const std::vector<Condition>& conditions) {
  return std::ranges::all_of(conditions, [&](const Condition& c) {
    json made;
    const json* value = value_of(row, c, made);
    return !value || holds(*value, c);
  });
}

void sort_rows(std::vector<json>& rows, const json& order) {
  if (!order.is_array()) return;
  std::vector<std::pair<std::string, bool>> by;
  for (const json& o : order)
    if (o.is_array() && o.size() == 2 && o[0].is_string() && o[1].is_string())
      by.emplace_back(stored_column(o[0].get<std::string>()), o[1] == "desc");
  std::ranges::stable_sort(rows, [&](const json& a, const json& b) {
    for (const auto& [column, descending] : by) {
      const json x = a.value(column, json());
      const json y = b.value(column, json());
      if (x.is_null() != y.is_null()) return y.is_null();
      const int c = compare(x, y).value_or(0);
      if (c != 0) return descending ? c > 0 : c < 0;
    }
    return false;
  });
}

}  // namespace vastgpu::sandbox
