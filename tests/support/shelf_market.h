#pragma once
// A marketplace that only answers searches, from two shelves of offers. It filters, sorts and cuts as the
// real one does. Not thread-safe.

#include <algorithm>
#include <map>
#include <vector>

#include "market/market.h"

namespace vastgpu {

class ShelfMarket : public Market {
 public:
  std::vector<Offer> on_demand, bids;
  std::vector<OfferQuery> asked;
  std::map<RentalKind, Error> broken;  ///< searches of this kind fail

  Result<std::vector<Offer>> search(const OfferQuery& q, std::stop_token) override {
    asked.push_back(q);
    if (const auto at = broken.find(q.kind); at != broken.end()) return fail(at->second);
    std::vector<Offer> found;
    for (const Offer& o : q.kind == RentalKind::interruptible ? bids : on_demand)
      if (fits(o, q)) found.push_back(o);
    std::ranges::stable_sort(found, [&](const Offer& a, const Offer& b) {
      return q.descending ? column(a, q) > column(b, q) : column(a, q) < column(b, q);
    });
    if (found.size() > static_cast<std::size_t>(q.limit)) found.resize(static_cast<std::size_t>(q.limit));
    return found;
  }

  Result<RentAnswer> rent(const RentRequest&, std::stop_token) override { return never(); }
  Result<InstanceList> instances(std::stop_token) override { return never(); }
  Result<std::optional<Instance>> instance(InstanceId, std::stop_token) override { return never(); }
  Result<void> destroy(InstanceId, std::stop_token) override { return never(); }
  Result<void> stop_instance(InstanceId, std::stop_token) override { return never(); }
  Result<void> start_instance(InstanceId, std::stop_token) override { return never(); }
  Result<void> set_label(InstanceId, const std::string&, std::stop_token) override { return never(); }
  Result<void> change_bid(InstanceId, UsdPerHour, std::stop_token) override { return never(); }
  Result<std::vector<SshKey>> account_keys(std::stop_token) override { return never(); }
  Result<void> add_account_key(const std::string&, std::stop_token) override { return never(); }
  Result<void> attach_key(InstanceId, const std::string&, std::stop_token) override { return never(); }
  Result<std::string> logs(InstanceId, int, std::stop_token) override { return never(); }
  Result<Account> account(std::stop_token) override { return never(); }
  Result<std::vector<Charge>> charges(TimePoint, TimePoint, std::stop_token) override { return never(); }

 private:
  static tl::unexpected<Error> never() {
    return fail({.code = Code::internal, .what = "this marketplace only answers searches"});
  }
  static double column(const Offer& o, const OfferQuery& q) {
    if (q.order_by == "dlperf") return o.dlperf;
    if (q.order_by == "dlperf_per_dphtotal") return o.dlperf / o.price.value;
    if (q.order_by == "gpu_ram") return o.gpu_ram.value;
    return o.price.value;
  }
  static bool fits(const Offer& o, const OfferQuery& q) {
    return o.disk_space >= q.disk && (!q.min_gpu_ram || o.gpu_ram >= *q.min_gpu_ram) &&
           (!q.num_gpus || o.num_gpus == *q.num_gpus) && o.reliability >= q.min_reliability &&
           o.inet_down >= q.min_inet_down && (!q.min_cuda || o.cuda_max >= *q.min_cuda) &&
           (q.max_compute_cap == 0 || o.compute_cap <= q.max_compute_cap) &&
           o.compute_cap >= q.min_compute_cap && (!q.verified_only || o.verified) &&
           (!q.direct_ssh || o.direct_ports > 0) &&
           (q.countries.empty() ||
            std::ranges::any_of(q.countries, [&](const std::string& c) { return o.location.ends_with(c); }));
  }
};

}  // namespace vastgpu
