#pragma once
// Why a rental cost what it cost: the difference between its estimate and the provider's charges, by cause.
// Pure functions.

#include <map>
#include <string>
#include <vector>

#include "core/json.h"
#include "core/rental.h"

namespace vastgpu {

/// The estimate of a quote in its parts.
struct EstimateParts {
  Usd gpu, disk, traffic, boot;
  UsdPerHour gpu_price;  ///< without the disk; zero where the quote does not say
  Usd total() const { return gpu + disk + traffic + boot; }
};

/// Out of `Quote::facts`; all zero where it has none.
EstimateParts estimate_parts(const std::string& quote_facts);

/// What the provider charged, summed over days.
struct ChargedParts {
  Usd gpu, disk, traffic, other;
  std::optional<Hours> gpu_hours;  ///< as the provider counted them; absent when its lines do not say
  Usd total() const { return gpu + disk + traffic + other; }
};

struct CostCause {
  std::string name;  ///< "gpu", "boot", "price", "disk", "traffic", "other"
  Usd estimated, charged;
  std::string why;  ///< "2.1 h of GPU time instead of 1.4 h"
  Usd difference() const { return charged - estimated; }
};

/// The differences add up to charged - estimated exactly. `worked` is how long it could be worked on: what
/// the provider's GPU hours hold beyond that is the boot. Without GPU hours or a quoted price of the GPU,
/// boot and price stand in "gpu".
std::vector<CostCause> cost_causes(const EstimateParts& estimate, const ChargedParts& charged,
                                   std::optional<Hours> worked);

json to_facts(const std::vector<CostCause>& causes);

/// "gpu +$0.12 (2.1 h instead of 1.4 h), disk -$0.01": only what differs by a cent or more; empty when
/// nothing does.
std::string to_words(const std::vector<CostCause>& causes);

}  // namespace vastgpu
