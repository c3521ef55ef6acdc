#include "fleet/options.h"

#include <cmath>

#include "analysis/image.h"
#include "core/gpu_table.h"
#include "core/text.h"
#include "fleet/guard.h"

namespace vastgpu {
namespace {

// A "24 GB" card offers about 23.5 GiB: accept what reports 97 % of the need.
constexpr double kNominalShare = 0.97;
constexpr double kAlternateReach = 1.15;  // what a stand-in may cost over the first choice, shown beforehand
constexpr std::size_t kMaxAlternates = 2;

int capability_of(const Offer& o) {
  const GpuModel* model = find_gpu(o.gpu_name);
  return o.compute_cap > 0 ? o.compute_cap : model != nullptr ? model->compute_cap : 0;
}

bool too_new_for_image(const Offer& o, const TaskProfile& p) {
  return p.max_compute_cap > 0 && capability_of(o) > p.max_compute_cap;
}

/// Why this offer cannot do the work; empty when it can.
std::string reason_against(const Offer& o, const TaskProfile& p, Hours lease,
                           const std::set<MachineId>& avoid) {
  if (avoid.contains(o.machine)) return "machine failed us before";
  if (o.gpu_arch == "amd") return "AMD card, CUDA image";
  if (o.num_gpus != p.gpus) return "other number of GPUs";
  if (o.gpu_ram.value < to_megabytes(p.vram).value * kNominalShare) return "too little VRAM";
  const int capability = capability_of(o);
  if (p.min_compute_cap > 0 && capability > 0 && capability < p.min_compute_cap)
    return "card too old for the work";
  if (too_new_for_image(o, p) && !p.newer_image) return "card too new for the image";
  if (too_new_for_image(o, p) && o.cuda_max > 0 && o.cuda_max < kNewerImageCuda)
    return "driver too old for the image's CUDA";
  if (o.cuda_max > 0 && o.cuda_max < p.min_cuda) return "driver too old for the image's CUDA";
  if (o.direct_ports < 1) return "no direct SSH";
  if (o.max_duration && *o.max_duration < lease) return "host ends before the work would";
  if (o.disk_space.value > 0 && o.disk_space < p.disk) return "too little disk";
  return {};
}

std::vector<std::string> flags_of(const Offer& o) {
  std::vector<std::string> flags;
  if (o.reliability > 0 && o.reliability < 0.97)
    flags.push_back("budget pick: reliability " + fixed(o.reliability * 100, 1) + " %, so about " +
                    fixed(std::max(1.0, (1 - o.reliability) * 100), 0) +
                    " in 100 such rentals are interrupted");
  if (o.gpu_fraction < 0.99) flags.push_back("shared box: other people use its other GPUs");
  if (o.inet_down.value < 200)
    flags.push_back("slow network: " + fixed(o.inet_down.value, 0) + " Mbit/s down");
  if (o.is_bid) flags.push_back("interruptible: pauses whenever somebody pays more");
  if (!o.verified) flags.push_back("not verified by the marketplace");
  return flags;
}

double value_score(const Candidate& c) {
  const double pace = c.work ? c.work->count() : 1 / std::max(0.05, relative_speed(c.offer));
  const double cost = c.estimate.total.value;
  const double risk = 1 + 3 * (1 - std::clamp(c.offer.reliability, 0.5, 1.0));
  return std::max(cost, 1e-6) * std::sqrt(std::max(pace, 1e-6)) * risk;  // lower is better
}

double pace_score(const Candidate& c) {
  return c.work ? c.work->count() : 1 / std::max(0.05, relative_speed(c.offer));
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
    stand_in.worst = cost_of(c.offer, chosen.lease + Hours(kGuardGrace), TrafficGuess{});
    if (stand_in.worst.total.value > chosen.worst.total.value * kAlternateReach) continue;
    option.worst_case = std::max(option.worst_case, stand_in.worst.total);
    option.alternates.push_back(std::move(stand_in));
  }
  return option;
}

}  // namespace

Screening screen(const std::vector<Offer>& offers, const TaskProfile& profile, std::optional<Hours> lease,
                 const std::set<MachineId>& avoid) {
  const GpuModel* reference = find_gpu(profile.reference_gpu);
  const double reference_speed =
      reference != nullptr && reference->relative_speed > 0 ? reference->relative_speed : 1;
  Screening result;
  std::set<OfferId> seen;
  for (const Offer& offer : offers) {
    if (!seen.insert(offer.id).second) continue;
    Candidate c;
    c.offer = offer;
    const double speed = relative_speed(offer) / (offer.num_gpus > 1 ? offer.num_gpus * 0.92 : 1);
    if (profile.hours) c.work = speed > 0 ? *profile.hours * (reference_speed / speed) : *profile.hours;
    std::optional<Hours> leased_work =
        c.work;  // a faster card does not shorten what the user said by themselves
    if (profile.hours && profile.hours_without_card) leased_work = std::max(*profile.hours, *c.work);
    c.lease = lease.value_or(lease_for(leased_work));
    if (std::string reason = reason_against(offer, profile, c.lease, avoid); !reason.empty()) {
      ++result.dropped[reason];
      continue;
    }
    const TrafficGuess traffic;
    c.estimate = cost_of(offer, c.work.value_or(c.lease), traffic);
    c.worst = cost_of(offer, c.lease + Hours(kGuardGrace), traffic);
    c.flags = flags_of(offer);
    c.image = profile.image;
    if (too_new_for_image(offer, profile)) {
      c.image = *profile.newer_image;
      c.flags.push_back("image " + c.image +
                        ", since this card needs a newer CUDA and torch than the default image has");
    }
    result.candidates.push_back(std::move(c));
  }
  std::ranges::stable_sort(result.candidates, {}, [](const Candidate& c) { return c.estimate.total; });
  return result;
}

std::vector<Option> choose_three(const std::vector<Candidate>& candidates) {
  std::vector<Option> options;
  std::set<MachineId> taken;
  const auto take_best = [&](const std::string& title, const auto& score, const std::string& wrong_when) {
    const Candidate* best = nullptr;
    for (const Candidate& c : candidates)
      if (!taken.contains(c.offer.machine) && (best == nullptr || score(c) < score(*best))) best = &c;
    if (best == nullptr) return;
    taken.insert(best->offer.machine);
    options.push_back(make_option(title, *best, candidates));
    options.back().wrong_when = wrong_when;
  };
  take_best(
      "cheapest", [](const Candidate& c) { return c.estimate.total.value; },
      "wrong when somebody waits for the result");
  take_best("fastest", pace_score,
            "wrong when the work is small: most of the price buys speed you will not notice");
  take_best("best value", value_score, "wrong when either price or time alone decides");
  if (options.size() == 3) std::swap(options[1], options[2]);  // shown: cheapest, best value, fastest
  return options;
}

}  // namespace vastgpu
