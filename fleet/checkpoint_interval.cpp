#include "fleet/checkpoint_interval.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/text.h"
#include "fleet/guard.h"
#include "fleet/needs.h"
#include "fleet/outbid_history.h"

namespace vastgpu {
namespace {

// Nobody publishes how long bids last. Half a working day is our assumption until three were seen: it depends
// on model, hour and bid, and errs towards saving more often than needed.
constexpr Hours kAssumedBetween{4};
constexpr int kLeastSeen = 3;
constexpr auto kHistory = std::chrono::hours(24 * 90);
// Containers write to the host's disk beside others; hosts list 500 MB/s and more, and a save is also
// serialised by one thread.
constexpr double kDiskBytesPerSecond = 200e6;
// Weights and the two moments of Adam in 32 bits.
constexpr double kBytesPerParameter = 12;
constexpr double kAssumedBytes = 1e9;
constexpr Hours kLeastCost{1.0 / 3600};
constexpr double kMostBytes = 1e14;

bool is_checkpoint(const std::string& path) {
  const std::string name = to_lower(path);
  constexpr std::array kEndings{".pt", ".pth", ".ckpt", ".safetensors", ".bin", ".h5", ".npz"};
  return std::ranges::any_of(kEndings, [&](const char* e) { return name.ends_with(e); }) ||
         name.find("checkpoint") != std::string::npos;
}

Hours time_to_write(double size) { return std::max(kLeastCost, Hours(size / kDiskBytesPerSecond / 3600)); }

std::string at_speed() { return " at " + bytes(static_cast<std::uint64_t>(kDiskBytesPerSecond)) + "/s"; }

}  // namespace

Hours young_interval(Hours cost, Hours between) {
  return Hours(std::sqrt(2 * cost.count() * between.count()));
}

Hours daly_interval(Hours cost, Hours between) {
  if (cost >= between * 2.0) return between;
  const double share = cost / (between * 2.0);
  return young_interval(cost, between) * (1 + std::sqrt(share) / 3 + share / 9) - cost;
}

Sourced time_between_outbids(const std::string& gpu_name, const BidHistory& of_model,
                             const BidHistory& of_account) {
  const auto mean = [](const BidHistory& h, const std::string& whose) {
    return Sourced{h.ran / h.outbids, text(h.outbids, " interruptions in ", hours(h.ran), " on ", whose)};
  };
  if (of_model.outbids >= kLeastSeen && of_model.ran > Hours(0))
    return mean(of_model, clean_line(gpu_name, 60) + " here");
  if (of_account.outbids >= kLeastSeen && of_account.ran > Hours(0))
    return mean(of_account, "interruptible machines of this account");
  return {kAssumedBetween, text("an assumption: ", of_account.outbids, " interruptions were seen so far")};
}

Result<Sourced> time_between_outbids(const Deps& d, const std::string& gpu_name) {
  auto rentals = d.ledger.rentals(false);
  if (!rentals) return fail(std::move(rentals).error());
  const TimePoint now = d.clock.now();
  BidHistory of_model, of_account;
  for (const Rental& r : *rentals) {
    if (!r.interruptible || !r.ready || r.created < now - kHistory) continue;
    auto events = d.ledger.events(r.label);
    if (!events) return fail(std::move(events).error());
    const TimePoint end =
        std::min(r.ended.value_or(now), std::max<TimePoint>(*r.ready, r.lease_end + kGuardGrace));
    Rental from_ready = r;  // the boot is no time in which it could be interrupted
    from_ready.created = *r.ready;
    const BidHistory one{paid_so_far(from_ready, *events, {}, {}, true, end).ran,
                         static_cast<int>(pauses_of(*events).size())};
    of_account.ran += one.ran;
    of_account.outbids += one.outbids;
    if (r.gpu_name != gpu_name) continue;
    of_model.ran += one.ran;
    of_model.outbids += one.outbids;
  }
  return time_between_outbids(gpu_name, of_model, of_account);
}

Sourced checkpoint_cost(const std::optional<json>& receipt, std::optional<double> params_b) {
  double largest = 0;
  if (receipt && receipt->is_object() && receipt->contains("files") && (*receipt)["files"].is_array())
    for (const json& f : (*receipt)["files"]) {
      const auto path = read_field<std::string>(f, "path");
      const auto size = read_number(f, "size");
      if (path && size && is_checkpoint(*path) && *size > largest && *size < kMostBytes) largest = *size;
    }
  const auto shown = [](double n) { return bytes(static_cast<std::uint64_t>(n)); };
  if (largest > 0)
    return {time_to_write(largest), "the largest checkpoint that came home, " + shown(largest) + at_speed()};
  if (params_b && *params_b > 0 && *params_b < 1e4) {
    const double size = *params_b * 1e9 * kBytesPerParameter;
    return {time_to_write(size),
            text(*params_b, " billion parameters with their optimizer, ", shown(size), at_speed())};
  }
  return {time_to_write(kAssumedBytes), "an assumption: " + shown(kAssumedBytes) + at_speed()};
}

CheckpointAdvice checkpoint_advice(const Sourced& between, const Sourced& cost) {
  CheckpointAdvice a{{}, young_interval(cost.value, between.value), between, cost};
  const double minutes = std::floor(daly_interval(cost.value, between.value).count() * 60);
  a.every = Hours(std::max(1.0, minutes) / 60);
  return a;
}

Result<CheckpointAdvice> checkpoint_advice(const Deps& d, const Rental& rental) {
  auto between = time_between_outbids(d, rental.gpu_name);
  if (!between) return fail(std::move(between).error());
  auto receipt = d.ledger.last_receipt(rental.label);
  if (!receipt) return fail(std::move(receipt).error());
  auto quote = d.ledger.quote(rental.quote_id);
  if (!quote) return fail(std::move(quote).error());
  std::optional<double> params_b;
  if (*quote) params_b = needs_of(**quote).profile.params_b;
  return checkpoint_advice(*between, checkpoint_cost(*receipt, params_b));
}

std::string to_words(const CheckpointAdvice& a) {
  const double seconds = a.cost.value.count() * 3600;
  return "save a checkpoint every " + hours(a.every) + " (runs " + hours(a.between.value) +
         " between interruptions: " + a.between.from + "; a save takes " +
         (seconds < 90 ? fixed(seconds, 0) + " s" : hours(a.cost.value)) + ": " + a.cost.from + ")";
}

json to_facts(const CheckpointAdvice& a) {
  return {{"every_minutes", a.every.count() * 60},
          {"young_minutes", std::round(a.young.count() * 600) / 10},
          {"hours_between_interruptions", std::round(a.between.value.count() * 1e4) / 1e4},
          {"hours_between_from", a.between.from},
          {"save_seconds", std::round(a.cost.value.count() * 3600)},
          {"save_from", a.cost.from}};
}

}  // namespace vastgpu
