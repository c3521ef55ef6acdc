#include "sandbox/catalogue.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <random>

#include "core/text.h"

namespace vastgpu::sandbox {
namespace {

constexpr double kDay = 86400;
constexpr double kIdsChangeEvery = 6 * 3600.0;
constexpr double kOldIdsRentFor = 3600;
constexpr std::int64_t kFirstAskId = 20'000'000;
constexpr std::int64_t kIdsPerEpoch = 6'400'000;  // room for 100 000 boxes of 64 chunks
constexpr int kChunksPerBox = 64;

/// Our own arithmetic on the generator's bits: the standard's distributions differ between libraries.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : bits_(seed) {}
  double part() { return static_cast<double>(bits_() >> 11) * 0x1p-53; }
  double between(double low, double high) { return low + (high - low) * part(); }
  double log_between(double low, double high) { return low * std::pow(high / low, part()); }
  int whole(int low, int high) {
    return low + static_cast<int>(bits_() % static_cast<std::uint64_t>(high - low + 1));
  }
  bool chance(double p) { return part() < p; }
  template <class T, std::size_t N>
  const T& one_of(const std::array<T, N>& from) {
    return from[bits_() % N];
  }

 private:
  std::mt19937_64 bits_;
};

struct Driver {
  double cuda;
  const char* version;
};
constexpr std::array<Driver, 8> kDrivers{{{11.8, "520.61.05"},
                                          {12.0, "525.147.05"},
                                          {12.2, "535.183.01"},
                                          {12.4, "550.127.05"},
                                          {12.6, "560.35.03"},
                                          {12.7, "565.57.01"},
                                          {12.8, "570.124.06"},
                                          {12.9, "575.57.08"}}};

constexpr std::array<const char*, 22> kPlaces{
    "Oregon, US",    "California, US", "Texas, US",   "Virginia, US", "New York, US", "Ohio, US",
    "Quebec, CA",    "Ontario, CA",    "Bavaria, DE", "Hesse, DE",    "Paris, FR",    "Amsterdam, NL",
    "Stockholm, SE", "Oslo, NO",       "Warsaw, PL",  "Prague, CZ",   "London, GB",   ", FI",
    "Tokyo, JP",     "Seoul, KR",      "Taipei, TW",  "Sydney, AU"};
constexpr std::array<const char*, 3> kTestNets{"203.0.113.", "198.51.100.", "192.0.2."};
constexpr std::array<int, 4> kSizes{1, 2, 4, 8};

double round_to(double value, double step) { return std::round(value / step) * step; }

Driver driver_for(Dice& dice, double min_cuda) {
  for (;;) {
    const Driver& d = kDrivers[static_cast<std::size_t>(std::max(dice.whole(-1, 7), dice.whole(0, 7)))];
    if (d.cuda >= min_cuda) return d;
  }
}

double reliability_of(Dice& dice) {
  const double p = dice.part();
  if (p < 0.75) return dice.between(0.985, 0.9995);
  if (p < 0.95) return dice.between(0.90, 0.985);
  return dice.between(0.60, 0.90);
}

double listing_length(Dice& dice) {
  const double p = dice.part();
  if (p < 0.03) return dice.between(600, 3 * 3600);
  if (p < 0.12) return dice.between(3 * 3600, 3 * kDay);
  return dice.log_between(3 * kDay, 180 * kDay);
}

Box make_box(Dice& dice, const Card& card, std::size_t index, double origin) {
  const CardFacts facts = card_facts(card);
  Box b;
  b.card = &card;
  b.machine_id = 10'000 + static_cast<std::int64_t>(index) * 17 + dice.whole(0, 16);
  b.host_id = 50'000 + dice.whole(0, 60'000);
  b.bundle_id = 800'000'000 + static_cast<std::int64_t>(index) * 1013 + dice.whole(0, 1000);
  const int size = kSizes[static_cast<std::size_t>(std::max(0, dice.whole(-2, 3)))];
  b.gpus = std::min(size, card.most);
  if (b.gpus == 4 && dice.chance(0.15)) b.gpus = 3;
  if (b.gpus == 8 && dice.chance(0.10)) b.gpus = 6;
  b.reliability = round_to(reliability_of(dice), 0.0001);
  const double trust = dice.part();
  b.verification = trust < 0.85 ? "verified" : trust < 0.97 ? "unverified" : "deverified";
  b.datacenter = dice.chance(0.25);
  b.static_ip = b.datacenter || dice.chance(0.6);
  const double cheaper = (b.verification == "verified" ? 1 : 0.88) * (b.reliability < 0.95 ? 0.92 : 1);
  b.gpu_price = round_to(std::max(card.low, dice.between(card.low, card.high) * cheaper), 0.0001);
  b.bid_share = dice.between(0.35, 0.7);
  b.storage_cost = round_to(dice.between(0.08, 0.30), 0.01);
  b.inet_down = round_to(dice.log_between(90, 8000), 0.1);
  b.inet_up = round_to(b.inet_down * dice.between(0.3, 1.0), 0.1);
  b.inet_down_cost = round_to(dice.log_between(0.002, 0.026), 0.0001);
  b.inet_up_cost = round_to(dice.log_between(0.002, 0.026), 0.0001);
  b.taken = dice.chance(0.05);
  b.direct_ports = dice.chance(0.88) ? dice.whole(16, 250) : 0;
  const Driver driver = facts.amd ? Driver{0, "6.10.5"} : driver_for(dice, facts.min_cuda);
  b.cuda = driver.cuda;
  b.driver = driver.version;
  b.cpu_cores = b.gpus * (1 << dice.whole(3, 5));
  b.cpu_ram_mb = b.gpus * dice.whole(24, 96) * 1024;
  b.disk_gb = round_to(b.gpus * dice.log_between(120, 1500), 0.1);
  b.disk_bw = round_to(dice.between(500, 6500), 0.1);
  b.geolocation = dice.one_of(kPlaces);
  b.public_ip = dice.one_of(kTestNets) + std::to_string(dice.whole(1, 254));
  b.noise = dice.between(0.94, 1.04);
  b.listed_since = origin - dice.between(kDay, 200 * kDay);
  b.listing_length = listing_length(dice);
  b.first_end = origin + b.listing_length;
  b.id_phase = dice.between(0, kIdsChangeEvery);
  b.null_cores = index % 41 == 7;
  b.spaced_ip = index % 37 == 5;
  return b;
}

const Card& weighted_card(Dice& dice) {
  int total = 0;
  for (const Card& c : cards()) total += c.weight;
  int at = dice.whole(0, total - 1);
  for (const Card& c : cards())
    if ((at -= c.weight) < 0) return c;
  return cards().front();
}

std::int64_t epoch_of(const Box& box, double since_origin) {
  return static_cast<std::int64_t>(std::max(0.0, since_origin + box.id_phase) / kIdsChangeEvery);
}

/// 0..4: 1, 2, 4, 8, all of an odd-sized box.
int size_index(int count) {
  for (std::size_t i = 0; i < kSizes.size(); ++i)
    if (kSizes[i] == count) return static_cast<int>(i);
  return 4;
}

std::vector<int> sizes_of(int gpus) {
  std::vector<int> out;
  for (const int s : kSizes)
    if (s <= gpus) out.push_back(s);
  if (out.empty() || out.back() != gpus) out.push_back(gpus);
  return out;
}

}  // namespace

std::optional<double> Box::end_date(double now) const {
  constexpr double kGap = 3600;
  if (now < first_end) return first_end;
  const double period = std::max(listing_length, kDay) + kGap;
  const double since = now - first_end;
  const double round = std::floor(since / period);
  if (since - round * period < kGap) return std::nullopt;
  return first_end + (round + 1) * period;
}

double Box::boot_seconds(double usual) const {
  const double download = std::clamp(0.55 + 350 / inet_down, 0.6, 2.5);
  return usual * download * (0.9 + (noise - 0.94) * 2);
}

std::vector<Box> make_boxes(std::uint64_t seed, int offers, double origin) {
  Dice dice(seed);
  std::vector<Box> boxes;
  int listed = 0;
  while (listed < offers) {
    const Card& card = boxes.size() < cards().size() ? cards()[boxes.size()] : weighted_card(dice);
    boxes.push_back(make_box(dice, card, boxes.size(), origin));
    listed += offers_of(boxes.back().gpus);
  }
  return boxes;
}

int offers_of(int gpus) { return static_cast<int>(sizes_of(gpus).size()); }

std::vector<Chunk> free_chunks(const Box& box, std::span<const Chunk> rented) {
  std::vector<Chunk> out;
  for (const int size : sizes_of(box.gpus))
    for (int first = 0; first + size <= box.gpus; first += size) {
      const Chunk chunk{first, size};
      if (std::ranges::any_of(rented, [&](const Chunk& r) { return r.overlaps(chunk); })) continue;
      out.push_back(chunk);
      break;
    }
  return out;
}

std::int64_t ask_id(const Box& box, std::size_t box_index, const Chunk& chunk, double since_origin) {
  return kFirstAskId + epoch_of(box, since_origin) * kIdsPerEpoch +
         static_cast<std::int64_t>(box_index) * kChunksPerBox + size_index(chunk.count) * 8 + chunk.first;
}

std::optional<Ask> find_ask(std::span<const Box> boxes, std::int64_t id, double since_origin) {
  if (id < kFirstAskId) return std::nullopt;
  const std::int64_t epoch = (id - kFirstAskId) / kIdsPerEpoch;
  const std::int64_t rest = (id - kFirstAskId) % kIdsPerEpoch;
  const auto box_index = static_cast<std::size_t>(rest / kChunksPerBox);
  if (box_index >= boxes.size()) return std::nullopt;
  const Box& box = boxes[box_index];
  const std::int64_t current = epoch_of(box, since_origin);
  const bool just_changed = std::fmod(since_origin + box.id_phase, kIdsChangeEvery) < kOldIdsRentFor;
  if (epoch != current && !(epoch == current - 1 && just_changed)) return std::nullopt;
  const int slot = static_cast<int>(rest % kChunksPerBox);
  const int first = slot % 8;
  const int size = slot / 8 < 4 ? kSizes[static_cast<std::size_t>(slot / 8)] : box.gpus;
  if (slot / 8 > 4 || size > box.gpus || first + size > box.gpus) return std::nullopt;
  return Ask{box_index, {first, size}};
}

}  // namespace vastgpu::sandbox
