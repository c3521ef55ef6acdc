#pragma once
// One row of a search's answer, field by field in any order. For offer_page.cpp only; one thread at a time.

#include <optional>
#include <string>
#include <string_view>

#include "market/offer.h"

namespace vastgpu {

/// A JSON value that is no object and no array.
struct Scalar {
  enum class Kind { null, boolean, integer, number, text } kind = Kind::null;
  std::int64_t integer = 0;  ///< also 0 and 1 of a boolean
  double number = 0;
  std::string_view text = {};
};

/// The fields that are used; everything else is `other`.
enum class OfferField {
  other,
  id,
  machine,
  host,
  gpu_name,
  gpu_arch,
  num_gpus,
  gpu_frac,
  gpu_ram,
  compute_cap,
  cuda,
  total,
  base,
  storage_cost,
  min_bid,
  is_bid,
  disk_space,
  cpu_ram,
  cpu_cores,
  cpu_cores_effective,
  inet_up,
  inet_down,
  inet_up_cost,
  inet_down_cost,
  reliability,
  reliability2,
  verification,
  verified,
  hosting_type,
  static_ip,
  ports,
  dlperf,
  duration,
  geolocation,
  score,
  search,
  search_total
};
OfferField offer_field(std::string_view name);

class OfferRow {
 public:
  /// The last value of a repeated field counts.
  void set(OfferField field, const Scalar& value);

  /// nullopt when there is no id, price or card: such a row cannot be rented or compared.
  std::optional<Offer> finish() &&;
  double score() const { return score_; }

 private:
  Offer offer_;
  std::optional<std::int64_t> id_;
  std::optional<double> total_, search_total_, cores_, own_cores_, cpu_ram_;
  double reliability_ = 0, reliability2_ = 0, score_ = 0;
  std::string verification_;
  bool verified_ = false;
};

}  // namespace vastgpu
