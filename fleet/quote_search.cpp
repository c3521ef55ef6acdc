#include "fleet/quote_search.h"

#include <algorithm>
#include <array>

namespace vastgpu {
namespace {

constexpr int kViewLimit = 128;   // rows of one view: about 350 kB
constexpr int kWideLimit = 1000;  // the wide search is screened again many times; about 3 MB
constexpr double kNominalShare = 0.97;

/// Cards come in classes: memory from 24, 48 and 80 GB on, as drivers report it.
constexpr std::array<double, 3> kClasses{23'000, 45'000, 79'000};

OfferQuery base_query(const QuoteRequest& r, RentalKind kind) {
  OfferQuery q;
  q.kind = kind;
  q.disk = r.profile.disk;  // the disk is part of the price: search with what will be rented
  q.num_gpus = r.profile.gpus;
  q.min_gpu_ram = to_megabytes(r.profile.vram) * kNominalShare;
  q.min_cuda = r.profile.min_cuda;
  q.min_compute_cap = r.profile.min_compute_cap;
  if (!r.profile.newer_image) q.max_compute_cap = r.profile.max_compute_cap;
  if (r.profile.host_ram) q.min_host_ram = Megabytes{r.profile.host_ram->value * 1000 / 1.048576};
  q.min_reliability = r.demands.min_reliability;
  q.min_inet_down = r.demands.min_inet_down;
  q.verified_only = r.demands.verified_only;
  q.countries = r.demands.countries;
  q.limit = kViewLimit;
  return q;
}

/// Adds a search's offers. True when it showed everything.
Result<bool> add(const Deps& d, const OfferQuery& q, std::vector<Offer>& offers,
                 const std::stop_token& stop) {
  auto found = d.market.search(q, stop);
  if (!found) return fail(std::move(found).error().during("searching offers"));
  const bool whole = found->size() < static_cast<std::size_t>(q.limit);
  for (Offer& o : *found)
    if (std::ranges::find(offers, o.id, &Offer::id) == offers.end()) offers.push_back(std::move(o));
  return whole;
}

}  // namespace

Result<std::vector<Offer>> search_broadly(const Deps& d, const QuoteRequest& request, std::stop_token stop) {
  const RentalKind kind = request.interruptible ? RentalKind::interruptible : RentalKind::on_demand;
  OfferQuery cheap = base_query(request, kind);
  std::vector<OfferQuery> views{cheap, cheap, cheap};
  views[1].order_by = "dlperf_per_dphtotal";
  views[2].order_by = "dlperf";
  views[1].descending = views[2].descending = true;
  // The cheapest 128 may all be of the smallest class that is enough: look at the class above it, too.
  const double need = std::max(cheap.min_gpu_ram->value, 12'000.0);
  const auto above = std::ranges::find_if(kClasses, [&](double ram) { return ram > need * 1.15; });
  if (above != kClasses.end()) {
    views.push_back(cheap);
    views.back().min_gpu_ram = Megabytes{*above};
  }
  std::vector<Offer> offers;
  for (const OfferQuery& view : views) {
    auto whole = add(d, view, offers, stop);
    if (!whole) return fail(std::move(whole).error());
    if (*whole && &view == &views.front()) break;
  }
  return offers;
}

Result<std::vector<Offer>> search_bids(const Deps& d, const QuoteRequest& request, std::stop_token stop) {
  return d.market.search(base_query(request, RentalKind::interruptible), std::move(stop));
}

Result<std::vector<Offer>> search_widely(const Deps& d, const QuoteRequest& request, std::stop_token stop) {
  OfferQuery wide;
  wide.kind = request.interruptible ? RentalKind::interruptible : RentalKind::on_demand;
  wide.disk = {8};  // it implies a filter; prices are computed for the disk that is needed
  wide.min_gpu_ram = to_megabytes(request.profile.vram) * kNominalShare;
  wide.min_cuda = request.profile.min_cuda;
  wide.min_reliability = 0;
  wide.min_inet_down = {0};
  wide.verified_only = false;
  wide.limit = kWideLimit;
  std::vector<Offer> offers;
  if (auto done = add(d, wide, offers, stop); !done) return fail(std::move(done).error());

  const auto& ways = request.profile.memory_alternatives;
  if (ways.empty()) {
    wide.min_gpu_ram.reset();
    wide.num_gpus = request.profile.gpus;
    wide.order_by = "gpu_ram";
    wide.descending = true;
    wide.limit = kViewLimit;
  } else {
    wide.min_gpu_ram =
        to_megabytes(std::ranges::min(ways, {}, &MemoryAlternative::vram).vram) * kNominalShare;
  }
  if (auto done = add(d, wide, offers, stop); !done) return fail(std::move(done).error());
  return offers;
}

}  // namespace vastgpu
