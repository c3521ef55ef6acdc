#include "fleet/relax.h"

#include <algorithm>
#include <cmath>

#include "core/text.h"

namespace vastgpu {
namespace {

/// Sharding over more cards than planned costs this much of their speed (measured: 0.6 to 0.8 over PCIe).
constexpr double kShardedPace = 0.7;

class Relaxer {
 public:
  explicit Relaxer(const Tightness& t) : t_(t) {}

  std::vector<Relaxation> all() && {
    budget();
    memory();
    number_of_gpus();
    reliability();
    demand("verification", "accept machines that the marketplace has not verified", t_.demands.verified_only,
           [](Demands& d) { d.verified_only = false; });
    demand("region", "take machines of any region", !t_.demands.countries.empty(),
           [](Demands& d) { d.countries.clear(); });
    demand("network", "accept a slower network than " + fixed(t_.demands.min_inet_down.value, 0) + " Mbit/s",
           t_.demands.min_inet_down.value > 0, [](Demands& d) { d.min_inet_down = {0}; });
    disk();
    rest();
    interruptible();
    std::ranges::stable_sort(found_, {}, [](const Relaxation& r) { return r.cheapest.estimate.total; });
    return std::move(found_);
  }

 private:
  bool fits_budget(const Candidate& c) const { return !t_.budget || c.worst.total <= *t_.budget; }

  /// Screens again with one change, and keeps it if it brings a machine.
  bool try_out(const std::string& requirement, const std::string& how, const TaskProfile& profile,
               const Demands& demands, const std::vector<Offer>& offers, const std::set<MachineId>& avoid) {
    const std::vector<Candidate> candidates = screen(offers, profile, t_.lease, avoid, demands).candidates;
    std::set<MachineId> machines;
    const Candidate* cheapest = nullptr;  // candidates come cheapest first
    for (const Candidate& c : candidates) {
      if (!fits_budget(c)) continue;
      machines.insert(c.offer.machine);
      if (cheapest == nullptr) cheapest = &c;
    }
    if (cheapest == nullptr) return false;
    found_.push_back({requirement, how, machines.size(), *cheapest});
    return true;
  }
  std::vector<Offer> priced_for(Gigabytes disk) const {
    std::vector<Offer> out;
    out.reserve(t_.offers.size());
    for (const Offer& o : t_.offers) out.push_back(with_disk(o, disk));
    return out;
  }
  bool try_profile(const std::string& requirement, const std::string& how, const TaskProfile& profile) {
    return try_out(requirement, how, profile, t_.demands, priced_for(profile.disk), t_.avoid);
  }
  template <class Change>
  bool demand(const std::string& requirement, const std::string& how, bool applies, const Change& change) {
    if (!applies) return false;
    Demands demands = t_.demands;
    change(demands);
    return try_out(requirement, how, t_.profile, demands, offers_, t_.avoid);
  }

  void budget() {
    if (!t_.budget) return;
    const std::vector<Candidate> candidates =
        screen(offers_, t_.profile, t_.lease, t_.avoid, t_.demands).candidates;
    const auto least =
        std::ranges::min_element(candidates, {}, [](const Candidate& c) { return c.worst.total; });
    if (least == candidates.end() || fits_budget(*least)) return;
    std::set<MachineId> machines;
    for (const Candidate& c : candidates)
      if (c.worst.total <= least->worst.total) machines.insert(c.offer.machine);
    found_.push_back({"budget",
                      "raise the budget from " + money(*t_.budget) + " to " + money(least->worst.total) +
                          " (" + money(least->worst.total - *t_.budget) + " more)",
                      machines.size(), *least});
  }

  void memory() {
    for (const MemoryAlternative& way : t_.profile.memory_alternatives) {
      TaskProfile p = t_.profile;
      p.vram = way.vram;
      p.gpus = std::max(1, way.gpus);
      if (p.hours && p.gpus > t_.profile.gpus)
        p.hours = *p.hours * (t_.profile.gpus / (p.gpus * kShardedPace));
      try_profile("memory",
                  way.how + ": " + fixed(p.vram.value, 1) + " GB on each of " + std::to_string(p.gpus) +
                      (p.gpus == 1 ? " GPU" : " GPUs") + " instead of " + fixed(t_.profile.vram.value, 1) +
                      " GB",
                  p);
    }
    // What is the most that is to be had? Asked only where the need itself is above it.
    TaskProfile p = t_.profile;
    p.vram = {0};
    double most = 0;
    for (const Candidate& c : screen(offers_, p, t_.lease, t_.avoid, t_.demands).candidates)
      if (fits_budget(c)) most = std::max(most, to_gibibytes(c.offer.gpu_ram).value);
    if (most <= 0 || most >= t_.profile.vram.value * 0.97) return;
    p.vram = {std::floor(most * 10) / 10};
    try_profile("memory", "make it fit into " + fixed(p.vram.value, 1) + " GB per GPU, the most there is now",
                p);
  }

  void number_of_gpus() {
    std::set<int> more;
    for (const Offer& o : offers_)
      if (o.num_gpus > t_.profile.gpus) more.insert(o.num_gpus);
    for (const int n : more) {
      TaskProfile p = t_.profile;  // the hours stay: whether the work can use the others is not known
      p.gpus = n;
      if (try_profile("number of GPUs",
                      "take a machine with " + std::to_string(n) + " GPUs instead of " +
                          std::to_string(t_.profile.gpus),
                      p))
        return;
    }
  }

  void reliability() {
    for (const double least : {0.90, 0.80, 0.0})
      if (demand("reliability",
                 least > 0 ? "accept reliability from " + fixed(least * 100, 0) + " % on"
                           : "accept any reliability",
                 t_.demands.min_reliability > least, [&](Demands& d) { d.min_reliability = least; }))
        return;
  }

  void disk() {
    TaskProfile p = t_.profile;
    p.disk = {8};  // the least that can be rented
    double most = 0;
    for (const Candidate& c : screen(priced_for(p.disk), p, t_.lease, t_.avoid, t_.demands).candidates)
      if (fits_budget(c)) most = std::max(most, c.offer.disk_space.value);
    p.disk = {std::floor(most)};
    if (most < 8 || p.disk >= t_.profile.disk) return;
    try_profile("disk",
                "do with " + fixed(p.disk.value, 0) + " GB of disk instead of " +
                    fixed(t_.profile.disk.value, 0) + " GB",
                p);
  }

  void rest() {
    TaskProfile p = t_.profile;
    if (p.host_ram) {
      p.host_ram.reset();
      try_profile("host memory",
                  "do with less than " + fixed(t_.profile.host_ram->value, 0) + " GB of the host's memory",
                  p);
      p = t_.profile;
    }
    if (p.max_compute_cap > 0 && !p.newer_image) {
      p.max_compute_cap = 0;
      try_profile("image", "take an image whose CUDA and torch drive newer cards, too", p);
    }
    if (!t_.avoid.empty())
      try_out("machines remembered", "try machines again that failed before", t_.profile, t_.demands, offers_,
              {});
  }

  void interruptible() {
    if (!t_.bids.empty())
      try_out("on demand", "bid for an interruptible machine (it pauses whenever somebody pays more)",
              t_.profile, t_.demands, t_.bids, t_.avoid);
  }

  const Tightness& t_;
  const std::vector<Offer> offers_ = priced_for(t_.profile.disk);
  std::vector<Relaxation> found_;
};

}  // namespace

Offer with_disk(Offer offer, Gigabytes disk) {
  if (offer.price_without_disk.value <= 0 || offer.storage_usd_per_gb_month <= 0) return offer;
  offer.price = offer.price_without_disk + UsdPerHour{offer.storage_usd_per_gb_month * disk.value / 720};
  return offer;
}

std::vector<Relaxation> relaxations(const Tightness& t) { return Relaxer(t).all(); }

std::string to_words(const Relaxation& r) {
  const Offer& o = r.cheapest.offer;
  return r.how + ": " + std::to_string(r.machines) +
         (r.machines == 1 ? " machine, a " : " machines, the cheapest a ") +
         (o.num_gpus > 1 ? std::to_string(o.num_gpus) + " x " : "") + o.gpu_name + " for ~" +
         money(r.cheapest.estimate.total) + " (at most " + money(r.cheapest.worst.total) + ")";
}

}  // namespace vastgpu
