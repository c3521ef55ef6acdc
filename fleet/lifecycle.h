#pragma once
// The lifecycle of a rental as one table, checked while compiling. Never changes; any thread.

#include <algorithm>
#include <array>
#include <optional>

#include "core/error.h"
#include "core/rental.h"

namespace vastgpu {

enum class Event {
  rent_accepted,  ///< a contract id is known
  rent_refused,   ///< certainly nothing was rented
  checked,        ///< SSH answered, the GPU is the one that was sold
  seen_stopped,   ///< the marketplace says it does not run
  restarted,      ///< it runs again; has to be checked again
  destroy_asked,
  seen_gone,   ///< the marketplace no longer lists it
  seen_again,  ///< and then lists it after all
  came_back,   ///< the same, and nobody had asked for its end
};
struct Transition {
  Status from;
  Event on;
  Status to;
};

/// A pair not listed is `wrong_state`; there is no second place to look.
inline constexpr auto kTransitions = [] {
  using enum Status;
  using enum Event;
  return std::to_array<Transition>({
      {renting, rent_accepted, booting},
      {renting, rent_refused, refused},
      {renting, destroy_asked, destroying},  // the answer was lost: reconcile finds the label
      {renting, seen_gone, refused},         // lost answer, and no contract with our label appeared
      {refused, rent_accepted, booting},     // believed refused, and then its label turned up after all
      {booting, checked, ready},
      {booting, seen_stopped, stopped},
      {booting, destroy_asked, destroying},
      {booting, seen_gone, destroyed},
      {ready, checked, ready},  // address changed and was verified again
      {ready, seen_stopped, stopped},
      {ready, destroy_asked, destroying},
      {ready, seen_gone, destroyed},  // the host went away by itself
      {stopped, seen_stopped, stopped},
      {stopped, restarted, booting},
      {stopped, destroy_asked, destroying},
      {stopped, seen_gone, destroyed},
      {destroying, destroy_asked, destroying},  // asking twice is harmless
      {destroying, seen_gone, destroyed},       // only the marketplace's list ends the billing
      {destroyed, came_back, ready},            // a hiccup of the list: it is watched and guarded as before
      {destroyed, seen_again, destroying},      // contracts have come back: it bills, so it is ended again
  });
}();

constexpr std::optional<Status> next(Status from, Event on) {
  for (const Transition& t : kTransitions)
    if (t.from == from && t.on == on) return t.to;
  return std::nullopt;
}
constexpr bool may_bill(Status s) { return s != Status::destroyed && s != Status::refused; }

static_assert(std::ranges::all_of(kTransitions,
                                  [](const Transition& t) {
                                    return !may_bill(t.to) || next(t.to, Event::destroy_asked).has_value();
                                  }),
              "whatever may cost money can be destroyed");

/// Takes one step, or says why it is not allowed.
/// @error wrong_state
Result<void> step(Rental& rental, Event on);

}  // namespace vastgpu
