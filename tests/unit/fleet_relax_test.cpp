// When nothing fits: what giving up one requirement would bring.

#include "fleet/relax.h"

#include "core/text.h"
#include "tests/support/catch.h"
#include "tests/support/sample_offers.h"

using namespace vastgpu;

namespace {

const Relaxation* find(const std::vector<Relaxation>& all, const std::string& requirement) {
  const auto at = std::ranges::find(all, requirement, &Relaxation::requirement);
  return at == all.end() ? nullptr : &*at;
}

bool holds(const std::string& s, const std::string& words) { return s.find(words) != std::string::npos; }

Tightness tight(double vram_gib, std::vector<Offer> offers) {
  Tightness t;
  t.profile = sample_needs(vram_gib, Hours(2));
  t.offers = std::move(offers);
  return t;
}

}  // namespace

TEST_CASE("each fault of the only machines names its own requirement") {
  std::vector<Offer> offers;
  for (int i = 1; i <= 5; ++i) offers.push_back(sample_offer(i, "RTX 3090", 0.2 + 0.01 * i, 24576));
  offers[0].reliability = 0.85;
  offers[1].verified = false;
  offers[2].inet_down = {50};
  offers[3].location = "Bavaria, DE";
  offers[4].disk_space = {30};
  Tightness t = tight(20, offers);
  t.demands.countries = {"US"};
  const auto found = relaxations(t);
  CHECK(found.size() == 5);
  for (const Relaxation& r : found) CHECK(r.machines == 1);
  REQUIRE(find(found, "reliability"));
  CHECK(find(found, "reliability")->how == "accept reliability from 80 % on");
  CHECK(find(found, "verification")->cheapest.offer.id == OfferId{2});
  CHECK(find(found, "network")->cheapest.offer.id == OfferId{3});
  CHECK(find(found, "region")->cheapest.offer.id == OfferId{4});
  CHECK(find(found, "disk")->how == "do with 30 GB of disk instead of 50 GB");
  CHECK(std::ranges::is_sorted(found, {}, [](const Relaxation& r) { return r.cheapest.estimate.total; }));
}

TEST_CASE("a machine with two faults is no answer to one question") {
  Offer o = sample_offer(1, "RTX 3090", 0.2, 24576);
  o.reliability = 0.85;
  o.verified = false;
  CHECK(relaxations(tight(20, {o})).empty());
}

TEST_CASE("the budget is missed by what the cheapest worst case lies above it") {
  Tightness t = tight(20, {sample_offer(1, "RTX 3090", 0.2, 24576), sample_offer(2, "RTX 4090", 0.3, 24564)});
  t.budget = Usd{0.1};
  const auto found = relaxations(t);
  const Relaxation* r = find(found, "budget");
  REQUIRE(r);
  CHECK(r->machines == 1);  // a budget of that size buys no other
  const auto all = screen(t.offers, t.profile, {}, {}).candidates;
  const Usd least = std::min(all[0].worst.total, all[1].worst.total);
  CHECK(r->cheapest.worst.total == least);
  CHECK(holds(r->how, "from $0.100 to " + money(least) + " (" + money(least - Usd{0.1}) + " more)"));
  // The budget holds for every other requirement that is given up.
  CHECK(found.size() == 1);
  // Bids were searched for; one is within the budget.
  t.bids = {sample_offer(3, "RTX 3090", 0.001, 24576)};
  t.bids[0].is_bid = true;
  const auto with_bids = relaxations(t);
  REQUIRE(find(with_bids, "on demand"));
  CHECK(find(with_bids, "on demand")->cheapest.offer.id == OfferId{3});
}

TEST_CASE("memory: the profile's own alternatives, and the most that is on offer") {
  Tightness t =
      tight(60, {sample_offer(1, "RTX A6000", 0.5, 49140), sample_offer(2, "RTX 3090", 0.2, 24576)});
  t.offers.push_back(sample_offer(3, "RTX 3090", 0.4, 24576));
  t.offers.back().num_gpus = 4;
  t.profile.memory_alternatives = {
      {"8-bit optimizer", {44}, 1}, {"sharded over 4 GPUs", {20}, 4}, {"magic", {2000}, 1}};
  const auto found = relaxations(t);
  REQUIRE(found.size() == 3);
  const auto how = [&](const std::string& words) {
    return *std::ranges::find_if(found, [&](const Relaxation& r) { return holds(r.how, words); });
  };
  CHECK(how("8-bit optimizer: 44.0 GB on each of 1 GPU instead of 60.0 GB").cheapest.offer.id == OfferId{1});
  const Relaxation sharded = how("sharded");
  CHECK(sharded.cheapest.offer.id == OfferId{3});
  CHECK(sharded.cheapest.work->count() == Approx(2 / (4 * 0.7)));
  CHECK(how("make it fit into").cheapest.offer.id == OfferId{1});
}

TEST_CASE("three GPUs are rarely sold: the next larger machine is named") {
  Tightness t = tight(20, {});
  t.profile.gpus = 3;
  for (const int n : {1, 4, 8}) {
    t.offers.push_back(sample_offer(n, "RTX 3090", 0.2 * n, 24576));
    t.offers.back().num_gpus = n;
  }
  const auto found = relaxations(t);
  REQUIRE(found.size() == 1);
  CHECK(found[0].how == "take a machine with 4 GPUs instead of 3");
  CHECK(holds(to_words(found[0]), "1 machine, a 4 x RTX 3090 for ~"));
}

TEST_CASE("an image that newer cards cannot run, memory of the host, machines that failed") {
  Tightness t = tight(20, {sample_offer(1, "RTX 5090", 0.4, 32607)});
  CHECK(find(relaxations(t), "image"));
  t = tight(20, {sample_offer(1, "RTX 3090", 0.4, 24576)});
  t.avoid = {MachineId{1001}};
  CHECK(find(relaxations(t), "machines remembered"));
  t.avoid.clear();
  t.profile.host_ram = Gigabytes{64};
  t.offers[0].host_ram = Gigabytes{32};
  CHECK(find(relaxations(t), "host memory"));
}

TEST_CASE("an offer costs more with more disk") {
  const Offer o = sample_offer(1, "RTX 3090", 0.2, 24576);
  CHECK(with_disk(o, {50}).price.value == Approx(0.21));
  CHECK(with_disk(o, {500}).price.value == Approx(0.30));
}
