#include "fleet/record.h"

namespace vastgpu {
namespace {

Result<void> change(const Deps& d, Rental& rental, const std::function<Result<void>(Rental&)>& how,
                    const std::optional<LedgerEvent>& event = std::nullopt) {
  auto stored = d.ledger.change_rental(rental.label, how, event);
  if (!stored) {
    if (stored.error().code == Code::wrong_state) (void)refresh(d, rental);
    return fail(std::move(stored).error());
  }
  rental = *std::move(stored);
  return {};
}

}  // namespace

Result<void> advance(const Deps& d, Rental& rental, Event on, const std::function<void(Rental&)>& also,
                     const std::optional<LedgerEvent>& event) {
  return change(
      d, rental,
      [&](Rental& now) {
        return step(now, on).map([&] {
          if (also) also(now);
        });
      },
      event);
}

Result<void> amend(const Deps& d, Rental& rental, const std::function<void(Rental&)>& how) {
  return change(d, rental, [&](Rental& now) -> Result<void> {
    how(now);
    return {};
  });
}

Result<void> refresh(const Deps& d, Rental& rental) {
  auto stored = d.ledger.rental_by_label(rental.label);
  if (!stored) return fail(std::move(stored).error());
  if (*stored) rental = **std::move(stored);
  return {};
}

}  // namespace vastgpu
