#pragma once
// A marketplace for several workers at once: whoever reads the list or the charges gets what one request
// brought for all who asked before it left. The account may send one request in two seconds, so that thirty
// workers who read for themselves would wait for minutes. Thread-safe; lives as long as its workers.

#include <condition_variable>
#include <mutex>

#include "market/market.h"

namespace vastgpu {

class SharedLooks : public Market {
 public:
  /// @param charges_from  the earliest moment that any worker wants charges from
  SharedLooks(Market& market, TimePoint charges_from) : market_(market), charges_from_(charges_from) {}

  /// A list that was asked for after this call began.
  Result<InstanceList> instances(std::stop_token stop) override {
    return lists_.get(std::move(stop), [&](std::stop_token s) { return market_.instances(std::move(s)); });
  }
  /// All charges since `charges_from` up to `to` of whoever asked first; asked for after this call began.
  Result<std::vector<Charge>> charges(TimePoint, TimePoint to, std::stop_token stop) override {
    return charges_.get(std::move(stop),
                        [&](std::stop_token s) { return market_.charges(charges_from_, to, std::move(s)); });
  }

  Result<std::vector<Offer>> search(const OfferQuery& q, std::stop_token s) override {
    return market_.search(q, std::move(s));
  }
  Result<RentAnswer> rent(const RentRequest& r, std::stop_token s) override {
    return market_.rent(r, std::move(s));
  }
  Result<std::optional<Instance>> instance(InstanceId id, std::stop_token s) override {
    return market_.instance(id, std::move(s));
  }
  Result<void> destroy(InstanceId id, std::stop_token s) override {
    return market_.destroy(id, std::move(s));
  }
  Result<void> stop_instance(InstanceId id, std::stop_token s) override {
    return market_.stop_instance(id, std::move(s));
  }
  Result<void> start_instance(InstanceId id, std::stop_token s) override {
    return market_.start_instance(id, std::move(s));
  }
  Result<void> set_label(InstanceId id, const std::string& label, std::stop_token s) override {
    return market_.set_label(id, label, std::move(s));
  }
  Result<void> change_bid(InstanceId id, UsdPerHour bid, std::stop_token s) override {
    return market_.change_bid(id, bid, std::move(s));
  }
  Result<std::vector<SshKey>> account_keys(std::stop_token s) override {
    return market_.account_keys(std::move(s));
  }
  Result<void> add_account_key(const std::string& key, std::stop_token s) override {
    return market_.add_account_key(key, std::move(s));
  }
  Result<void> attach_key(InstanceId id, const std::string& key, std::stop_token s) override {
    return market_.attach_key(id, key, std::move(s));
  }
  Result<std::string> logs(InstanceId id, int tail, std::stop_token s) override {
    return market_.logs(id, tail, std::move(s));
  }
  Result<Account> account(std::stop_token s) override { return market_.account(std::move(s)); }

 private:
  /// One question, asked by one at a time for all.
  template <class T>
  class Shared {
   public:
    template <class Ask>
    Result<T> get(std::stop_token stop, const Ask& ask) {
      std::unique_lock hold(mutex_);
      const int wanted = begun_ + 1;  // one that is under way may have been answered before we asked
      while (ended_ < wanted) {
        if (asking_) {
          if (!changed_.wait(hold, stop, [&] { return !asking_ || ended_ >= wanted; }))
            return fail(
                {.code = Code::cancelled, .what = "stopped on request", .next_step = "call again to go on"});
          continue;
        }
        asking_ = true;
        const int mine = ++begun_;
        hold.unlock();
        Result<T> answer = ask(stop);
        hold.lock();
        asking_ = false;
        ended_ = mine;
        last_ = std::move(answer);
        changed_.notify_all();
      }
      return last_;
    }

   private:
    std::mutex mutex_;
    std::condition_variable_any changed_;
    bool asking_ = false;
    int begun_ = 0, ended_ = 0;
    Result<T> last_ = T{};
  };

  Market& market_;
  const TimePoint charges_from_;
  Shared<InstanceList> lists_;
  Shared<std::vector<Charge>> charges_;
};

}  // namespace vastgpu
