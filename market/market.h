#pragma once
// The marketplace. `VastMarket` speaks HTTP; `FakeMarket` (tests/support) keeps state in memory. Thread-safe.

#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "core/error.h"
#include "market/instance.h"
#include "market/offer.h"

namespace vastgpu {

/// Every call may wait for the account's rate limit (all of them together: 5 requests per 10 s) and ends
/// early with `cancelled` when `stop` asks. Reads, state changes and destroy are repeated a few times inside
/// on 429/5xx/no answer; a create is sent once and only a 429 to it is repeated.
///
/// Common errors: unauthenticated (401, 403, 404 auth_error, 2FA; effect none), rate_limited (429 after the
/// repeats), unavailable (5xx, no answer: effect unknown for what changes something; no connection: effect
/// none), corrupt (an answer that makes no sense), cancelled (effect unknown when a change had been sent),
/// wrong_state (an untrusted certificate, a redirect to another server, no SSH key), not_found, over_budget
/// (insufficient_credit, spend_rate_limit), invalid_argument (other 400s).
class Market {
 public:
  virtual ~Market() = default;

  /// Offers, deduplicated by id (the best score wins), rows that cannot be read dropped.
  /// @source POST /api/v0/bundles/
  virtual Result<std::vector<Offer>> search(const OfferQuery& query, std::stop_token stop) = 0;

  /// Rents an offer. Disk is billed from now, the GPU once it runs. Always sends cancel_unavail.
  /// @error not_found    someone else took the offer (400/404/410 no_such_ask); effect none
  /// @error unavailable  effect unknown (5xx, timeout, no answer, a 2xx without a contract): look for `label`
  /// before
  ///                     anything else; effect none (no connection, a retired route): nothing was rented
  /// @source PUT /api/v0/asks/{id}/
  virtual Result<RentAnswer> rent(const RentRequest& request, std::stop_token stop) = 0;

  /// All instances of the account, all pages. Fails rather than return a part.
  /// @error corrupt  a repeated page token, or fewer rows than the total that was announced
  /// @source GET /api/v1/instances/
  virtual Result<InstanceList> instances(std::stop_token stop) = 0;

  /// One instance; nullopt when the marketplace says it is gone (null, [] or 404 no_such_instance).
  /// @source GET /api/v0/instances/{id}/
  virtual Result<std::optional<Instance>> instance(InstanceId id, std::stop_token stop) = 0;

  /// Ends a contract and its billing. An unknown id is success: the caller wanted it gone. Success is no
  /// proof: read the list back.
  virtual Result<void> destroy(InstanceId id, std::stop_token stop) = 0;

  virtual Result<void> stop_instance(InstanceId id, std::stop_token stop) = 0;
  /// @error wrong_state  resources_unavailable: queued without a deadline; effect happened, stop it to leave
  /// the queue
  virtual Result<void> start_instance(InstanceId id, std::stop_token stop) = 0;
  virtual Result<void> set_label(InstanceId id, const std::string& label, std::stop_token stop) = 0;
  virtual Result<void> change_bid(InstanceId id, UsdPerHour bid, std::stop_token stop) = 0;

  virtual Result<std::vector<SshKey>> account_keys(std::stop_token stop) = 0;
  virtual Result<void> add_account_key(const std::string& public_key, std::stop_token stop) = 0;
  /// Attaching twice is success.
  virtual Result<void> attach_key(InstanceId id, const std::string& public_key, std::stop_token stop) = 0;

  /// The container's log, at most 1 MB. Fetched from another host, without the key.
  /// @error unavailable  the log has not appeared yet
  virtual Result<std::string> logs(InstanceId id, int tail, std::stop_token stop) = 0;

  virtual Result<Account> account(std::stop_token stop) = 0;

  /// Charges of instances between two moments; rows outside are dropped here, since the filter may be
  /// ignored.
  virtual Result<std::vector<Charge>> charges(TimePoint from, TimePoint to, std::stop_token stop) = 0;
};

}  // namespace vastgpu
