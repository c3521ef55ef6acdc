// Offers to options: what is dropped, how long and how dear the work is, which three are shown, and what is
// said.

#include "fleet/options.h"

#include "core/text.h"
#include "fleet/options_words.h"
#include "tests/support/catch.h"
#include "tests/support/sample_offers.h"

using namespace vastgpu;

namespace {

bool holds(const std::string& s, const std::string& words) { return s.find(words) != std::string::npos; }

bool any_holds(const std::vector<std::string>& lines, const std::string& words) {
  return std::ranges::any_of(lines, [&](const std::string& line) { return holds(line, words); });
}

Candidate candidate_of(const Offer& o, const TaskProfile& p) {
  const auto found = screen({o}, p, std::nullopt, {}).candidates;
  REQUIRE(found.size() == 1);
  return found.front();
}

}  // namespace

TEST_CASE("offers that cannot work are dropped, each with its reason") {
  const TaskProfile p = sample_needs(20, Hours(2));
  std::vector<Offer> offers{sample_offer(1, "RTX 3090", 0.2, 24576), sample_offer(2, "RTX 3060", 0.05, 12288),
                            sample_offer(3, "RTX 5090", 0.4, 32607)};
  offers.push_back(sample_offer(4, "RTX 4090", 0.3, 24564));
  offers.back().direct_ports = 0;
  offers.push_back(sample_offer(5, "RTX 4090", 0.3, 24564));
  offers.back().max_duration = Hours(1);
  offers.push_back(sample_offer(6, "RTX 4090", 0.3, 24564));
  offers.back().cuda_max = 11.8;
  offers.push_back(sample_offer(7, "RX 7900 XTX", 0.1, 24576));
  offers.back().gpu_arch = "amd";
  offers.push_back(sample_offer(8, "RTX 4090", 0.3, 24564));
  offers.push_back(offers.front());  // listed twice
  const Screening s = screen(offers, p, std::nullopt, {MachineId{1008}});
  REQUIRE(s.candidates.size() == 1);
  CHECK(s.candidates[0].offer.id == OfferId{1});
  for (const char* reason :
       {"too little VRAM", "card too new for the image", "no direct SSH", "host ends before the work would",
        "driver too old for the image's CUDA", "AMD card, CUDA image", "machine failed us before"})
    CHECK(s.dropped.at(reason) == 1);
}

TEST_CASE("a card too new for the default image gets a newer image, and that is said") {
  TaskProfile p = sample_needs(20, Hours(2));
  p.newer_image = "pytorch/pytorch:2.7.1-cuda12.8-cudnn9-devel";
  const Screening s =
      screen({sample_offer(1, "RTX 5090", 0.4, 32607), sample_offer(2, "RTX 4090", 0.3, 24564)}, p,
             std::nullopt, {});
  REQUIRE(s.candidates.size() == 2);
  for (const Candidate& c : s.candidates) {
    const bool new_card = c.offer.gpu_name == "RTX 5090";
    CHECK(c.image == (new_card ? *p.newer_image : p.image));
    CHECK(c.flags.empty() == !new_card);
  }
  Offer old_driver = sample_offer(3, "RTX 5090", 0.4, 32607);
  old_driver.cuda_max = 12.4;
  CHECK(screen({old_driver}, p, std::nullopt, {}).candidates.empty());
}

TEST_CASE("a 24 GB card that reports 24564 MB holds a 24 GB need") {
  CHECK(screen({sample_offer(1, "RTX 4090", 0.3, 24564)}, sample_needs(24, Hours(1)), std::nullopt, {})
            .candidates.size() == 1);
  CHECK(screen({sample_offer(1, "RTX 4090", 0.3, 24564)}, sample_needs(25, Hours(1)), std::nullopt, {})
            .candidates.empty());
}

TEST_CASE("three options differ, hours scale by measured speed, and totals decide, not prices per hour") {
  // The seed's own arithmetic: a dearer card that finishes sooner can be cheaper in total.
  const std::vector<Offer> offers{
      sample_offer(1, "RTX 3060", 0.12, 12288), sample_offer(2, "RTX 4090", 0.28, 24564),
      sample_offer(3, "H100 SXM", 2.2, 81559), sample_offer(4, "RTX 3090", 0.22, 24576)};
  const Screening s = screen(offers, sample_needs(10, Hours(6)), std::nullopt, {});
  REQUIRE(s.candidates.size() == 4);
  const auto hours_of = [&](std::int64_t id) {
    return std::ranges::find(s.candidates, OfferId{id}, [](const Candidate& c) { return c.offer.id; })
        ->work->count();
  };
  CHECK(hours_of(4) == Approx(6));
  CHECK(hours_of(1) == Approx(12));
  CHECK(hours_of(2) == Approx(6 / 1.6));
  const auto options = choose_three(s.candidates);
  REQUIRE(options.size() == 3);
  CHECK(options[0].title == "cheapest");
  CHECK(options[0].chosen.offer.id == OfferId{2});
  CHECK(options[2].title == "fastest");
  CHECK(options[2].chosen.offer.id == OfferId{3});
  for (const Option& o : options) CHECK(o.worst_case >= o.chosen.worst.total);
  std::set<MachineId> machines;
  for (const Option& o : options) machines.insert(o.chosen.offer.machine);
  CHECK(machines.size() == 3);
}

TEST_CASE("hours that the user said are never cut by a faster card") {
  TaskProfile p = sample_needs(10, Hours(2.6));
  p.hours_without_card = true;
  for (const Candidate& c :
       screen({sample_offer(1, "H100 SXM", 2.2, 81559), sample_offer(2, "RTX 3060", 0.1, 12288)}, p,
              std::nullopt, {})
           .candidates)
    CHECK(c.lease >= lease_for(Hours(2.6)));
}

TEST_CASE("the worst case that is shown covers every stand-in") {
  std::vector<Offer> offers;
  for (int i = 0; i < 6; ++i) offers.push_back(sample_offer(i + 1, "RTX 3090", 0.20 + 0.01 * i, 24576));
  const auto options = choose_three(screen(offers, sample_needs(10, Hours(2)), std::nullopt, {}).candidates);
  REQUIRE_FALSE(options.empty());
  CHECK(options[0].alternates.size() == 2);
  for (const Candidate& a : options[0].alternates) {
    CHECK(a.worst.total <= options[0].worst_case);
    CHECK(a.offer.machine != options[0].chosen.offer.machine);
  }
}

TEST_CASE("a reliability under 97 % is said in words") {
  Offer o = sample_offer(1, "RTX 3090", 0.2, 24576);
  o.reliability = 0.958;
  const auto s = screen({o}, sample_needs(10, Hours(1)), std::nullopt, {});
  REQUIRE(s.candidates.size() == 1);
  CHECK(s.candidates[0].flags.at(0).find("95.8 %") != std::string::npos);
}

TEST_CASE("what was not asked for is dropped, each with its reason; nonsense is no bargain") {
  const TaskProfile p = sample_needs(10, Hours(2));
  std::vector<Offer> offers;
  for (int i = 1; i <= 12; ++i) offers.push_back(sample_offer(i, "RTX 3090", 0.2, 24576));
  offers[1].reliability = 0.9;
  offers[2].reliability = 0;
  offers[3].verified = false;
  offers[4].inet_down = {60};
  offers[5].location = "Bavaria, DE";
  offers[6].price = {0.01};  // less than its own GPU
  offers[7].gpu_ram = {0};
  offers[8].reliability = 99;
  offers[9].inet_down_cost = {50};
  offers[10].host_ram = Gigabytes{20};
  TaskProfile wants_ram = p;
  wants_ram.host_ram = Gigabytes{64};  // unknown (11 of them) is not held against an offer
  const Screening s = screen(offers, wants_ram, std::nullopt, {}, {.countries = {"US", "CA"}});
  CHECK(s.candidates.size() == 2);
  CHECK(s.dropped.at("reliability under 95 %") == 1);
  CHECK(s.dropped.at("reliability under 95 % or unknown") == 1);
  CHECK(s.dropped.at("not verified by the marketplace") == 1);
  CHECK(s.dropped.at("network under 100 Mbit/s") == 1);
  CHECK(s.dropped.at("outside the region") == 1);
  CHECK(s.dropped.at("numbers that make no sense") == 4);
  CHECK(s.dropped.at("too little host memory") == 1);
}

TEST_CASE("three cards are shown where three are worth it, and a dominated one never takes a title") {
  std::vector<Offer> offers;
  for (int i = 1; i <= 5; ++i) offers.push_back(sample_offer(i, "RTX 4090", 0.28 + 0.001 * i, 24564));
  for (int i = 11; i <= 13; ++i) offers.push_back(sample_offer(i, "H100 SXM", 2.2 + 0.001 * i, 81559));
  offers.push_back(sample_offer(21, "A100 SXM4", 0.9, 81920));
  offers.push_back(sample_offer(22, "RTX A6000", 2.5, 49140));  // slow and dear
  const auto options = choose_three(screen(offers, sample_needs(10, Hours(6)), std::nullopt, {}).candidates);
  REQUIRE(options.size() == 3);
  CHECK(options[0].chosen.offer.gpu_name == "RTX 4090");
  CHECK(options[1].chosen.offer.gpu_name == "A100 SXM4");
  CHECK(options[2].chosen.offer.gpu_name == "H100 SXM");
  CHECK(options[2].chosen.offer.id == OfferId{11});  // of equally fast ones the cheapest
}

TEST_CASE("nothing is called fastest that is not") {
  const auto options =
      choose_three(screen({sample_offer(1, "H100 SXM", 0.2, 81559), sample_offer(2, "RTX 3090", 0.2, 24576)},
                          sample_needs(10, Hours(6)), std::nullopt, {})
                       .candidates);
  REQUIRE(options.size() == 2);
  CHECK(options[0].title == "cheapest");
  CHECK(any_holds(options[0].chosen.flags, "also the fastest"));
  CHECK(holds(options[0].wrong_when, "it is the fastest, too"));
  CHECK(options[1].title == "next fastest");
  CHECK(holds(options[1].wrong_when, "dearer than the cheapest and done 4.2 h later"));
}

TEST_CASE("when an option is the wrong choice is told from its numbers") {
  const std::vector<Offer> offers{sample_offer(1, "RTX 4090", 0.28, 24564),
                                  sample_offer(2, "H100 SXM", 2.2, 81559),
                                  sample_offer(3, "A100 SXM4", 0.9, 81920)};
  const auto options = choose_three(screen(offers, sample_needs(10, Hours(6)), std::nullopt, {}).candidates);
  REQUIRE(options.size() == 3);
  const Usd more = options[2].chosen.estimate.total - options[0].chosen.estimate.total;
  const Hours less = *options[0].chosen.until_done() - *options[2].chosen.until_done();
  CHECK(options[2].wrong_when ==
        "wrong when nobody waits: " + money(more) + " dearer than the cheapest for " + hours(less) + " less");
  CHECK(options[0].wrong_when == "wrong when somebody waits for the result: the fastest is done " +
                                     hours(less) + " sooner for " + money(more) + " more");
  CHECK(holds(options[1].wrong_when, "than the fastest and done"));
  const auto one = choose_three(screen({offers[0]}, sample_needs(10, Hours(6)), std::nullopt, {}).candidates);
  CHECK(holds(one.at(0).wrong_when, "only machine that fits"));
  const auto unknown =
      choose_three(screen(offers, sample_needs(10, std::nullopt), std::nullopt, {}).candidates);
  CHECK(holds(unknown.at(0).wrong_when, "2.1 times its speed"));
  CHECK_FALSE(unknown.at(0).chosen.until_done());
}

TEST_CASE("what a person should know is said") {
  Offer o = sample_offer(1, "RTX 3090", 0.2, 24576);
  o.gpu_fraction = 0.5;
  o.inet_down = {120};
  o.is_bid = true;
  o.max_duration = Hours(9);
  const Candidate c = candidate_of(o, sample_needs(10, Hours(2)));
  for (const char* words :
       {"shared box", "slow network: 120 Mbit/s", "interruptible", "the host's offer ends"})
    CHECK(any_holds(c.flags, words));
  CHECK(candidate_of(sample_offer(1, "RTX 3090", 0.2, 24576), sample_needs(10, Hours(2))).flags.empty());
}

TEST_CASE("a lease shorter than the work: the estimate stays below the worst case, and it is said") {
  const auto s =
      screen({sample_offer(1, "RTX 3090", 0.2, 24576)}, sample_needs(10, Hours(20)), Hours(2), {}).candidates;
  REQUIRE(s.size() == 1);
  CHECK(s[0].estimate.total <= s[0].worst.total);
  CHECK(any_holds(s[0].flags, "the lease ends before the work would"));
}

TEST_CASE("an estimate never exceeds its worst case") {
  for (const double inet : {0.0, 15.0, 100.0, 9000.0})
    for (const double hours : {0.01, 0.4, 2.0, 300.0})
      for (const double download : {0.0, 10.0, 900.0}) {
        Offer o = sample_offer(1, "RTX 4090", 0.3, 24564);
        o.inet_down = {inet};
        TaskProfile p = sample_needs(10, Hours(hours));
        p.download = {download};
        const Candidate c = priced(o, p, std::nullopt);
        CAPTURE(inet, hours, download);
        CHECK(c.estimate.total <= c.worst.total);
        CHECK(c.lease >= c.start + *c.work);
      }
}

TEST_CASE("an interruption costs the start and the lost work, by the hour with checkpoints, else all of it") {
  Offer o = sample_offer(1, "RTX 3090", 0.1, 24576);
  o.is_bid = true;
  const Candidate c = candidate_of(o, sample_needs(10, Hours(8)));
  const std::string with = interruption_cost(c, true, {0.2}), without = interruption_cost(c, false, {0.2});
  CHECK(holds(with, money(o.price * (Hours(1) + c.start))));
  CHECK(holds(without, money(o.price * (Hours(8) + c.start))));
  CHECK(holds(with, "$0.200 a day"));
}
