#include "analysis/amounts.h"
#include "analysis/hardware.h"
#include "tests/support/catch.h"

using namespace vastgpu;

namespace {
Amount first(std::string_view text) {
  const auto found = find_amounts(plain(text));
  return found.empty() ? Amount{} : found.front();
}
}  // namespace

TEST_CASE("hours are read in every spelling of a plan") {
  struct Case {
    const char* text;
    double low, high;
    Unit unit;
  };
  for (const Case& c : {Case{"~23h", 23, 23, Unit::hours},
                        Case{"2,016 GPU-hours", 2016, 2016, Unit::gpu_hours},
                        Case{"6–10 GPUh", 6, 10, Unit::gpu_hours},
                        Case{"20 - 36 GPU-hrs", 20, 36, Unit::gpu_hours},
                        Case{"0.5 GPU-d", 12, 12, Unit::gpu_hours},
                        Case{"1.5 GPU-days", 36, 36, Unit::gpu_hours},
                        Case{"12 A100-40G-h", 12, 12, Unit::gpu_hours},
                        Case{"约 48 GPU 小时", 48, 48, Unit::gpu_hours},
                        Case{"7 GPU·h", 7, 7, Unit::gpu_hours},
                        Case{"≈ 9 卡时", 9, 9, Unit::gpu_hours},
                        Case{"90 minutes", 1.5, 1.5, Unit::hours},
                        Case{"3 个小时", 3, 3, Unit::hours},
                        Case{"2h-3h", 2, 3, Unit::hours},
                        Case{"2 to 3 hours", 2, 3, Unit::hours},
                        Case{"2到3小时", 2, 3, Unit::hours},
                        Case{"1h30m", 1.5, 1.5, Unit::hours},
                        Case{"<1 CPUh", 1, 1, Unit::other_hours},
                        Case{"13 person-hours", 13, 13, Unit::other_hours},
                        Case{"40GB", 40, 40, Unit::gib},
                        Case{"24 G 显存", 24, 24, Unit::gib},
                        Case{"49152 MiB", 48, 48, Unit::gib},
                        Case{"4 GPUs", 4, 4, Unit::gpus},
                        Case{"两块 2 张卡", 2, 2, Unit::gpus},
                        Case{"$12.50", 12.5, 12.5, Unit::dollars},
                        Case{"1e3 h", 1000, 1000, Unit::hours}}) {
    CAPTURE(c.text);
    const Amount a = first(c.text);
    CHECK(a.unit == c.unit);
    CHECK(a.low == Approx(c.low));
    CHECK(a.high == Approx(c.high));
    CHECK_FALSE(a.absurd);
  }
}

TEST_CASE("numbers that make no sense are marked, rules are no estimates, names hold no numbers") {
  CHECK(first("1e999 GPU-hours").absurd);
  CHECK(first("-5 h").absurd);
  CHECK(first("99999999999 h").absurd);
  CHECK(first("more than > 12 GPU-day").limit);
  CHECK(find_amounts(plain("ResNet-50 and Qwen2.5-7B, ViT-B/16, R001")).empty());
}

TEST_CASE("cards are named with their number and size") {
  struct Case {
    const char* text;
    const char* name;
    int count;  // 0: none
    double gib;
  };
  for (const Case& c :
       {Case{"2x RTX 3090", "RTX 3090", 2, 24}, Case{"4× NVIDIA A100 80GB", "A100 SXM4", 4, 80},
        Case{"8×A800-80GB", "A100 SXM4", 8, 80}, Case{"A100 (40GB) x 2", "A100 SXM4", 2, 40},
        Case{"two RTX 4090s", "RTX 4090", 2, 24}, Case{"one H100", "H100 SXM", 1, 80},
        Case{"8×A100-SXM4-80GB", "A100 SXM4", 8, 80},
        Case{"RTX PRO 6000 (96 GB VRAM)", "RTX PRO 6000 WS", 0, 96}, Case{"a 4090 card", "RTX 4090", 0, 24},
        Case{"4张3090", "RTX 3090", 4, 24}, Case{"NVIDIA L4", "L4", 0, 24},
        Case{"RTX 4090 49140 MiB", "RTX 4090", 0, 47.99}}) {
    CAPTURE(c.text);
    const auto found = find_gpu_mentions(plain(c.text));
    REQUIRE(found.size() == 1);
    CHECK(found[0].name == c.name);
    CHECK(found[0].count.value_or(0) == c.count);
    CHECK(found[0].vram_gib == Approx(c.gib).epsilon(0.01));
  }
  for (const char* none :
       {"see appendix A10", "a 100 GB dataset", "4090 samples", "layer l4 is frozen", "xa100b"}) {
    CAPTURE(none);
    CHECK(find_gpu_mentions(plain(none)).empty());
  }
  CHECK(usable_gpus(plain("8×A800(可用 2 张)")) == 2);
}
