// The parts of fleet/ that are pure functions: lifecycle, prices, options, boot verdicts, the guard's text.

#include <regex>

#include "core/gpu_table.h"
#include "fleet/boot.h"
#include "fleet/guard.h"
#include "fleet/lifecycle.h"
#include "fleet/options.h"
#include "fleet/reconcile.h"
#include "tests/support/catch.h"

using namespace vastgpu;

namespace {

Offer offer(std::int64_t id, const std::string& gpu, double usd_per_hour, double ram_mb) {
  Offer o;
  o.id = {id};
  o.machine = {id + 1000};
  o.gpu_name = gpu;
  o.gpu_arch = "nvidia";
  o.gpu_ram = {ram_mb};
  o.price_without_disk = {usd_per_hour};
  o.price = {usd_per_hour + 0.01};
  o.cuda_max = 12.8;
  o.disk_space = {500};
  o.inet_down = {800};
  o.inet_down_cost = {0.002};
  o.inet_up_cost = {0.004};
  o.reliability = 0.99;
  o.verified = true;
  o.direct_ports = 100;
  const GpuModel* model = find_gpu(gpu);
  o.compute_cap = model != nullptr ? model->compute_cap : 0;
  return o;
}

TaskProfile needs(double vram_gib, std::optional<Hours> hours) {
  TaskProfile p;
  p.vram = {vram_gib};
  p.hours = hours;
  p.max_compute_cap = 900;
  return p;
}

}  // namespace

TEST_CASE("every status that may bill can be destroyed, and destroyed comes only from being seen gone") {
  for (const Transition& t : kTransitions) {
    if (may_bill(t.to)) CHECK(next(t.to, Event::destroy_asked));
    if (t.to == Status::destroyed) CHECK(t.on == Event::seen_gone);
  }
  Rental r;
  r.status = Status::destroyed;
  CHECK(step(r, Event::checked).error().code == Code::wrong_state);
  CHECK(r.status == Status::destroyed);
}

TEST_CASE("a price is GPU and disk over the time, and traffic once") {
  const CostBreakdown c = cost_of(offer(1, "RTX 3090", 0.20, 24576), Hours(3), {{10}, {2}});
  CHECK(c.gpu.value == Approx(0.60));
  CHECK(c.disk.value == Approx(0.03));
  CHECK(c.traffic.value == Approx(10 * 0.002 + 2 * 0.004));
  CHECK(c.total.value == Approx(c.gpu.value + c.disk.value + c.traffic.value));
}

TEST_CASE("a lease is longer than the work, never below an hour, and four hours when nobody knows") {
  CHECK(lease_for(Hours(10)) > Hours(10));
  CHECK(lease_for(Hours(0.05)) == Hours(1));
  CHECK(lease_for(std::nullopt) == Hours(4));
}

TEST_CASE("offers that cannot work are dropped, each with its reason") {
  const TaskProfile p = needs(20, Hours(2));
  std::vector<Offer> offers{offer(1, "RTX 3090", 0.2, 24576), offer(2, "RTX 3060", 0.05, 12288),
                            offer(3, "RTX 5090", 0.4, 32607)};
  offers.push_back(offer(4, "RTX 4090", 0.3, 24564));
  offers.back().direct_ports = 0;
  offers.push_back(offer(5, "RTX 4090", 0.3, 24564));
  offers.back().max_duration = Hours(1);
  offers.push_back(offer(6, "RTX 4090", 0.3, 24564));
  offers.back().cuda_max = 11.8;
  offers.push_back(offer(7, "RX 7900 XTX", 0.1, 24576));
  offers.back().gpu_arch = "amd";
  offers.push_back(offer(8, "RTX 4090", 0.3, 24564));
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
  TaskProfile p = needs(20, Hours(2));
  p.newer_image = "pytorch/pytorch:2.7.1-cuda12.8-cudnn9-devel";
  const Screening s =
      screen({offer(1, "RTX 5090", 0.4, 32607), offer(2, "RTX 4090", 0.3, 24564)}, p, std::nullopt, {});
  REQUIRE(s.candidates.size() == 2);
  for (const Candidate& c : s.candidates) {
    const bool new_card = c.offer.gpu_name == "RTX 5090";
    CHECK(c.image == (new_card ? *p.newer_image : p.image));
    CHECK(c.flags.empty() == !new_card);
  }
  Offer old_driver = offer(3, "RTX 5090", 0.4, 32607);
  old_driver.cuda_max = 12.4;
  CHECK(screen({old_driver}, p, std::nullopt, {}).candidates.empty());
}

TEST_CASE("a 24 GB card that reports 24564 MB holds a 24 GB need") {
  CHECK(screen({offer(1, "RTX 4090", 0.3, 24564)}, needs(24, Hours(1)), std::nullopt, {}).candidates.size() ==
        1);
  CHECK(screen({offer(1, "RTX 4090", 0.3, 24564)}, needs(25, Hours(1)), std::nullopt, {}).candidates.empty());
}

TEST_CASE("three options differ, hours scale by measured speed, and totals decide, not prices per hour") {
  // The seed's own arithmetic: a dearer card that finishes sooner can be cheaper in total.
  const std::vector<Offer> offers{offer(1, "RTX 3060", 0.12, 12288), offer(2, "RTX 4090", 0.28, 24564),
                                  offer(3, "H100 SXM", 2.2, 81559), offer(4, "RTX 3090", 0.22, 24576)};
  const Screening s = screen(offers, needs(10, Hours(6)), std::nullopt, {});
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
  TaskProfile p = needs(10, Hours(2.6));
  p.hours_without_card = true;
  for (const Candidate& c :
       screen({offer(1, "H100 SXM", 2.2, 81559), offer(2, "RTX 3060", 0.1, 12288)}, p, std::nullopt, {})
           .candidates)
    CHECK(c.lease >= lease_for(Hours(2.6)));
}

TEST_CASE("the worst case that is shown covers every stand-in") {
  std::vector<Offer> offers;
  for (int i = 0; i < 6; ++i) offers.push_back(offer(i + 1, "RTX 3090", 0.20 + 0.01 * i, 24576));
  const auto options = choose_three(screen(offers, needs(10, Hours(2)), std::nullopt, {}).candidates);
  REQUIRE_FALSE(options.empty());
  CHECK(options[0].alternates.size() == 2);
  for (const Candidate& a : options[0].alternates) {
    CHECK(a.worst.total <= options[0].worst_case);
    CHECK(a.offer.machine != options[0].chosen.offer.machine);
  }
}

TEST_CASE("a reliability under 97 % is said in words") {
  Offer o = offer(1, "RTX 3090", 0.2, 24576);
  o.reliability = 0.958;
  const auto s = screen({o}, needs(10, Hours(1)), std::nullopt, {});
  REQUIRE(s.candidates.size() == 1);
  CHECK(s.candidates[0].flags.at(0).find("95.8 %") != std::string::npos);
}

TEST_CASE("what nvidia-smi reports is compared with what was sold") {
  CHECK(same_gpu("RTX 4090", "NVIDIA GeForce RTX 4090"));
  CHECK(same_gpu("RTX 4070S Ti", "NVIDIA GeForce RTX 4070 Ti SUPER"));
  CHECK(same_gpu("RTX 6000Ada", "NVIDIA RTX 6000 Ada Generation"));
  CHECK(same_gpu("A100 SXM4", "NVIDIA A100-SXM4-80GB"));
  CHECK(same_gpu("H100 SXM", "NVIDIA H100 80GB HBM3"));
  CHECK(same_gpu("Tesla V100", "Tesla V100-SXM2-16GB"));
  CHECK(same_gpu("L40S", "NVIDIA L40S"));
  CHECK_FALSE(same_gpu("RTX 4090", "NVIDIA GeForce RTX 3090"));
  CHECK_FALSE(same_gpu("B200", "NVIDIA H100 80GB HBM3"));
  CHECK_FALSE(same_gpu("RTX 4090", ""));
}

TEST_CASE("what the marketplace says about a booting machine") {
  Instance row;
  CHECK(judge(row) == BootVerdict::wait);
  row.actual_status = "loading";
  row.intended_status = "running";
  row.status_msg = "7c3b88808835: Retrying in 5 seconds";
  CHECK(judge(row) == BootVerdict::wait);
  row.status_msg = "toomanyrequests: rate limit";  // transient: the host retries
  CHECK(judge(row) == BootVerdict::wait);
  row.status_msg = "manifest for pytorch/pytorch:9.9 not found";
  CHECK(judge(row) == BootVerdict::bad_image);
  row.status_msg = "Error response: OCI runtime create failed: unable to start";
  row.actual_status = "created";
  CHECK(judge(row) == BootVerdict::bad_host);
  row = {};
  row.actual_status = "running";
  row.intended_status = "running";
  CHECK(judge(row) == BootVerdict::up);
  row.actual_status = "exited";
  CHECK(judge(row) == BootVerdict::stopped);
  row.actual_status = "some new word";
  CHECK(judge(row) == BootVerdict::wait);
}

TEST_CASE("the on-start script fits the marketplace's limit and names the end of the lease") {
  const TimePoint end{std::chrono::seconds(1'795'300'000)};
  const std::string script = onstart_script("https://console.vast.ai", end);
  CHECK(script.size() < 4048);
  CHECK(onstart_script("https://" + std::string(200, 'x') + ".example", end).size() < 4048);
  CHECK(script.find("1795300000") != std::string::npos);
  CHECK(script.find('@') == std::string::npos);  // no mark was left unreplaced
  CHECK(lease_text(end) == "1795300000\n");
}

TEST_CASE("labels are ours by form, unique, and cannot be confused by a prefix") {
  const std::string a = new_label("/home/me/My Project!"), b = new_label("/home/me/My Project!");
  CHECK(a != b);
  CHECK(is_our_label(a));
  CHECK(a.size() <= 64);
  CHECK(std::regex_match(a, std::regex("vg-[A-Za-z0-9._-]+-[0-9a-f]{12}")));
  CHECK_FALSE(is_our_label("job-1"));
}
