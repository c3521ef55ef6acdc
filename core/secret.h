#pragma once
// Text that must not be shown. Printing or serialising it gives "***"; only reveal() gives the value.

#include <ostream>
#include <string>

#include "core/json.h"

namespace vastgpu {

class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string value) : value_(std::move(value)) {}
  const std::string& reveal() const { return value_; }
  bool empty() const { return value_.empty(); }
  bool operator==(const Secret&) const = default;

 private:
  std::string value_;
};

inline std::ostream& operator<<(std::ostream& out, const Secret&) { return out << "***"; }
inline void to_json(json& j, const Secret&) { j = "***"; }

}  // namespace vastgpu
