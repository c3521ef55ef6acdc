#pragma once
// What can be made to go wrong, by name. Not thread-safe: the marketplace's mutex guards it.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "core/json.h"

namespace vastgpu::sandbox {

/// When a fault is looked at.
enum class FaultKind {
  request,   ///< at every request
  create,    ///< at PUT asks/{id}
  instance,  ///< taken along by the next instance that is created, or applied to one that exists
  action,    ///< at an action on an instance
  account,   ///< at once, or whenever the account is asked
};
const char* to_string(FaultKind kind);

struct FaultInfo {
  std::string_view name;
  FaultKind kind;
  int times;  ///< how often it fires unless told otherwise; 0: until removed
  std::string_view usual_value;
  std::string_view what;  ///< one line: what the wire shows, and what the value means
};
std::span<const FaultInfo> known_faults();

/// Where something happens; a fault with a scope fires only there.
struct Scope {
  std::optional<std::int64_t> instance = {};
  std::optional<std::int64_t> machine = {};
  std::string route = {};  ///< "PUT /api/v0/asks/42/"
};

struct ActiveFault {
  const FaultInfo* info = nullptr;
  std::string value;
  int left = 0;  ///< firings left; 0: until removed
  std::optional<std::int64_t> instance;
  std::optional<std::int64_t> machine;
  std::string route;  ///< part of "METHOD path"; empty: every route
};

class Faults {
 public:
  /// Switches on "NAME", "NAME=VALUE", either with "*TIMES" behind it ("*" alone: until removed).
  /// @error invalid_argument  no such fault; `next_step` has the list
  Result<ActiveFault> add(const std::string& words);
  /// {"name", "value"?, "times"?, "instance"?, "machine"?, "route"?}; reads it only.
  static Result<ActiveFault> read(const json& wanted);
  void keep(ActiveFault fault) { active_.push_back(std::move(fault)); }

  bool remove(const std::string& name);

  /// The value of the first fault of this name that fits, which uses up one of its times.
  std::optional<std::string> fire(std::string_view name, const Scope& at = {});
  /// The same without using it up.
  std::optional<std::string> peek(std::string_view name, const Scope& at = {}) const;

  json list() const;

 private:
  std::vector<ActiveFault> active_;
};

}  // namespace vastgpu::sandbox
