#include "fleet/lifecycle.h"

namespace vastgpu {

Result<void> step(Rental& rental, Event on) {
  const auto to = next(rental.status, on);
  if (!to)
    return fail({.code = Code::wrong_state,
                 .what = "rental " + rental.label + " is " + to_string(rental.status) +
                         ", so this step does not apply",
                 .next_step = "call list to see where it stands"});
  rental.status = *to;
  return {};
}

}  // namespace vastgpu
