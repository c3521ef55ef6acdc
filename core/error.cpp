#include "core/error.h"

namespace vastgpu {

const char* to_string(Code code) {
  switch (code) {
    case Code::invalid_argument:
      return "invalid_argument";
    case Code::not_found:
      return "not_found";
    case Code::wrong_state:
      return "wrong_state";
    case Code::unauthenticated:
      return "unauthenticated";
    case Code::over_budget:
      return "over_budget";
    case Code::rate_limited:
      return "rate_limited";
    case Code::unavailable:
      return "unavailable";
    case Code::cancelled:
      return "cancelled";
    case Code::corrupt:
      return "corrupt";
    case Code::internal:
      return "internal";
  }
  return "internal";
}

}  // namespace vastgpu
