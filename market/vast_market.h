#pragma once
// The real marketplace, or the sandbox, over HTTP. Thread-safe: calls run side by side and share one rate
// limit. Making one costs nothing; the network and TLS are touched by the first call.

#include <chrono>
#include <string>

#include "core/clock.h"
#include "core/secret.h"
#include "market/api_client.h"
#include "market/market.h"

namespace vastgpu {

struct VastMarketOptions {
  std::string base_url =
      "https://console.vast.ai";  ///< https, or http to this machine; checked by the first call
  Secret api_key = {};            ///< empty: every call fails `unauthenticated`, nothing is sent
  std::string ca_file = {};       ///< trusted instead of the system's certificates; empty: those
  std::chrono::milliseconds connect_timeout{10'000};  ///< real time, all three
  std::chrono::milliseconds answer_timeout{30'000};
  std::chrono::milliseconds create_timeout{
      120'000};  ///< a create can be slow, and giving up leaves it unknown
};

class VastMarket : public Market {
 public:
  VastMarket(VastMarketOptions options, Clock& clock);

  Result<std::vector<Offer>> search(const OfferQuery& query, std::stop_token stop) override;
  Result<RentAnswer> rent(const RentRequest& request, std::stop_token stop) override;
  Result<InstanceList> instances(std::stop_token stop) override;
  Result<std::optional<Instance>> instance(InstanceId id, std::stop_token stop) override;
  Result<void> destroy(InstanceId id, std::stop_token stop) override;
  Result<void> stop_instance(InstanceId id, std::stop_token stop) override;
  Result<void> start_instance(InstanceId id, std::stop_token stop) override;
  Result<void> set_label(InstanceId id, const std::string& label, std::stop_token stop) override;
  Result<void> change_bid(InstanceId id, UsdPerHour bid, std::stop_token stop) override;
  Result<std::vector<SshKey>> account_keys(std::stop_token stop) override;
  Result<void> add_account_key(const std::string& public_key, std::stop_token stop) override;
  Result<void> attach_key(InstanceId id, const std::string& public_key, std::stop_token stop) override;
  Result<std::string> logs(InstanceId id, int tail, std::stop_token stop) override;
  Result<Account> account(std::stop_token stop) override;
  Result<std::vector<Charge>> charges(TimePoint from, TimePoint to, std::stop_token stop) override;

 private:
  ApiCall call(std::string method, std::string path) const;
  /// PUT, POST or DELETE with a body; the answer's content does not matter.
  Result<void> change(std::string method, std::string path, json body, Route route,
                      const std::stop_token& stop);
  Result<void> add_key(const std::string& path, const std::string& public_key, const std::stop_token& stop);
  struct Pages;
  /// All pages of a list. @error corrupt
  Result<Pages> pages(const std::string& path, std::vector<std::pair<std::string, std::string>> query,
                      const char* rows_name, Route route, const std::stop_token& stop);

  const VastMarketOptions options_;
  ApiClient api_;
};

}  // namespace vastgpu
