#include "fleet/options.h"

#include <algorithm>
#include <cmath>

#include "analysis/image.h"
#include "core/gpu_table.h"
#include "core/text.h"
#include "fleet/guard.h"
#include "fleet/options_words.h"

namespace vastgpu {
namespace {

// A "24 GB" card offers about 23.5 GiB: accept what reports 97 % of the need.
constexpr double kNominalShare = 0.97;
constexpr double kAlternateReach = 1.15;  // what a stand-in may cost over the first choice, shown beforehand
constexpr std::size_t kMaxAlternates = 2;
constexpr double kSameTime =
    1.03;  // estimates are no better than this: among equals the cheaper one is fastest

int capability_of(const Offer& o) {
  const GpuModel* model = find_gpu(o.gpu_name);
  return o.compute_cap > 0 ? o.compute_cap : model != nullptr ? model->compute_cap : 0;
}

bool too_new_for_image(int capability, const TaskProfile& p) {
  return p.max_compute_cap > 0 && capability > p.max_compute_cap;
}

/// Numbers no machine has, or that contradict each other: a row to leave alone.
bool makes_no_sense(const Offer& o) {
  return o.gpu_ram.value <= 0 || o.gpu_ram.value > 2'000'000 || o.price.value > 2'000 ||
         o.price_without_disk.value > o.price.value * 1.001 + 1e-6 || o.reliability > 1.001 ||
         o.inet_down_cost.value > 10 || o.inet_up_cost.value > 10;
}

bool is_in(const std::vector<std::string>& countries, const std::string& location) {
  return countries.empty() ||
         std::ranges::any_of(countries, [&](const std::string& c) { return location.ends_with(c); });
}

/// Why this offer cannot do the work; empty when it can.
std::string reason_against(const Offer& o, const TaskProfile& p, int capability,
                           const std::set<MachineId>& avoid) {
  if (makes_no_sense(o)) return "numbers that make no sense";
  if (avoid.contains(o.machine)) return "machine failed us before";
  if (o.gpu_arch == "amd") return "AMD card, CUDA image";
  if (o.num_gpus != p.gpus) return "other number of GPUs";
  if (o.gpu_ram.value < to_megabytes(p.vram).value * kNominalShare) return "too little VRAM";
  if (p.min_compute_cap > 0 && capability > 0 && capability < p.min_compute_cap)
    return "card too old for the work";
  const bool needs_newer = too_new_for_image(capability, p);
  if (needs_newer && !p.newer_image) return "card too new for the image";
  if (o.cuda_max > 0 && o.cuda_max < (needs_newer ? std::max(p.min_cuda, kNewerImageCuda) : p.min_cuda))
    return "driver too old for the image's CUDA";
  if (o.direct_ports < 1) return "no direct SSH";
  if (o.disk_space.value > 0 && o.disk_space < p.disk) return "too little disk";
  if (p.host_ram && o.host_ram && *o.host_ram < *p.host_ram) return "too little host memory";
  return {};
}

/// Why this offer is not what was asked for; empty when it is.
std::string reason_against(const Offer& o, const Demands& d) {
  if (o.reliability < d.min_reliability)
    return "reliability under " + fixed(d.min_reliability * 100, 0) + " %" +
           (o.reliability > 0 ? "" : " or unknown");
  if (d.verified_only && !o.verified) return "not verified by the marketplace";
  if (o.inet_down < d.min_inet_down) return "network under " + fixed(d.min_inet_down.value, 0) + " Mbit/s";
  if (!is_in(d.countries, o.location)) return "outside the region";
  return {};
}

double pace_of(const Candidate& c) {
  const auto done = c.until_done();
  return done ? done->count() : 1 / std::max(0.05, relative_speed(c.offer));
}

double value_of(const Candidate& c) {  // lower is better
  const double risk = 1 + 3 * (1 - std::clamp(c.offer.reliability, 0.5, 1.0));
  return std::max(c.estimate.total.value, 1e-6) * std::sqrt(std::max(pace_of(c), 1e-6)) * risk;
}

template <class Score, class Fits>
const Candidate* best_of(const std::vector<Candidate>& all, const Score& score, const Fits& fits) {
  const Candidate* best = nullptr;
  double of_best = 0;
  for (const Candidate& c : all) {
    if (!fits(c)) continue;
    const double s = score(c);
    if (best != nullptr && !(s < of_best)) continue;
    best = &c;
    of_best = s;
  }
  return best;
}

double total_of(const Candidate& c) { return c.estimate.total.value; }

}  // namespace

std::optional<Hours> Candidate::until_done() const {
  if (!work) return std::nullopt;
  return start + *work;
}

Candidate priced(const Offer& offer, const TaskProfile& profile, std::optional<Hours> lease) {
  Candidate c;
  c.offer = offer;
  c.work = work_on(offer, profile);
  c.start = start_time(offer, profile.download);
  std::optional<Hours> leased_work =
      c.work;  // a faster card does not shorten what the user said by themselves
  if (profile.hours && profile.hours_without_card) leased_work = std::max(*profile.hours, *c.work);
  c.lease = lease.value_or(lease_for(leased_work, c.start));
  // Nothing runs beyond the lease; the worst case stands above the estimate even where the lease is short.
  const Hours left = std::max(Hours(0), c.lease - c.start);
  const TrafficGuess traffic{profile.download, profile.upload};
  c.estimate = cost_of(
      offer, Timing{std::min(c.start, c.lease), std::min(c.work.value_or(left), left), c.lease}, traffic);
  c.worst = cost_of(offer, c.lease + Hours(kLeaseReserve), traffic);
  c.image = profile.image;
  c.flags = flags_of(c);
  return c;
}

Screening screen(const std::vector<Offer>& offers, const TaskProfile& profile, std::optional<Hours> lease,
                 const std::set<MachineId>& avoid, const Demands& demands) {
  Screening result;
  std::set<OfferId> seen;
  for (const Offer& offer : offers) {
    if (!seen.insert(offer.id).second) continue;
    const int capability = capability_of(offer);
    std::string reason = reason_against(offer, profile, capability, avoid);
    if (reason.empty()) reason = reason_against(offer, demands);
    if (!reason.empty()) {
      ++result.dropped[reason];
      continue;
    }
    Candidate c = priced(offer, profile, lease);
    if (offer.max_duration && *offer.max_duration < c.lease) {
      ++result.dropped["host ends before the work would"];
      continue;
    }
    if (too_new_for_image(capability, profile)) {
      c.image = *profile.newer_image;
      c.flags.push_back("image " + c.image +
                        ", since this card needs a newer CUDA and torch than the default image has");
    }
    result.candidates.push_back(std::move(c));
  }
  std::ranges::stable_sort(result.candidates, {}, total_of);
  return result;
}

Option make_option(std::string title, const Candidate& chosen, const std::vector<Candidate>& all) {
  Option option{std::move(title), chosen, {}, chosen.worst.total, {}};
  for (const Candidate& c : all) {
    if (option.alternates.size() == kMaxAlternates) break;
    const bool another = c.offer.machine != chosen.offer.machine &&
                         std::ranges::none_of(option.alternates, [&](const Candidate& a) {
                           return a.offer.machine == c.offer.machine;
                         });
    const bool as_fast = relative_speed(c.offer) >= 0.9 * relative_speed(chosen.offer);
    if (!another || !as_fast || (c.offer.max_duration && *c.offer.max_duration < chosen.lease)) continue;
    Candidate stand_in = c;  // it would be rented for the lease that was shown, however fast it is
    stand_in.lease = chosen.lease;
    const Usd traffic = c.worst.traffic;
    stand_in.worst = cost_of(c.offer, chosen.lease + Hours(kLeaseReserve), TrafficGuess{{0}, {0}});
    stand_in.worst.traffic = traffic;
    stand_in.worst.total += traffic;
    if (stand_in.worst.total.value > chosen.worst.total.value * kAlternateReach) continue;
    option.worst_case = std::max(option.worst_case, stand_in.worst.total);
    option.alternates.push_back(std::move(stand_in));
  }
  return option;
}

std::vector<Option> choose_three(const std::vector<Candidate>& all) {
  const Candidate* cheapest = best_of(all, total_of, [](const Candidate&) { return true; });
  if (cheapest == nullptr) return {};
  const auto other_than = [](const Candidate* a, const Candidate* b = nullptr) {
    return [a, b](const Candidate& c) {
      return c.offer.machine != a->offer.machine && (b == nullptr || c.offer.machine != b->offer.machine);
    };
  };

  const Candidate* fastest = best_of(all, pace_of, other_than(cheapest));
  if (fastest != nullptr) {
    const double limit = pace_of(*fastest) * kSameTime;
    fastest = best_of(all, total_of,
                      [&](const Candidate& c) { return other_than(cheapest)(c) && pace_of(c) <= limit; });
  }

  const Candidate* value = nullptr;
  if (fastest != nullptr) {
    // A third card, where one lies between the two in time and price: otherwise it would be worse than both
    // in something that nothing makes good.
    value = best_of(all, value_of, [&](const Candidate& c) {
      return other_than(cheapest, fastest)(c) && c.offer.gpu_name != cheapest->offer.gpu_name &&
             c.offer.gpu_name != fastest->offer.gpu_name && pace_of(c) < pace_of(*cheapest) &&
             total_of(c) < total_of(*fastest);
    });
    if (value == nullptr) value = best_of(all, value_of, other_than(cheapest, fastest));
  }

  std::vector<Option> options{make_option("cheapest", *cheapest, all)};
  if (value != nullptr) options.push_back(make_option("best value", *value, all));
  if (fastest != nullptr) {
    const bool is_true = pace_of(*fastest) <= pace_of(*cheapest) * kSameTime;
    options.push_back(make_option(is_true ? "fastest" : "next fastest", *fastest, all));
    if (!is_true) options.front().chosen.flags.push_back("also the fastest");
  }
  for (std::size_t i = 0; i < options.size(); ++i) options[i].wrong_when = wrong_when(options, i);
  return options;
}

}  // namespace vastgpu
