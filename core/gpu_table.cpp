#include "core/gpu_table.h"

#include <array>
#include <unordered_map>

#include "core/text.h"

namespace vastgpu {
namespace {

constexpr auto kModels = std::to_array<GpuModel>({
    // name, GiB, architecture, capability, TFLOPS, GB/s, speed, CUDA, bf16
    {"RTX 3050", 8, "ampere", 860, 18.2, 224, 0.33, 11.1, true},
    {"RTX 3060", 12, "ampere", 860, 25.5, 360, 0.5, 11.1, true},
    {"RTX 3060 laptop", 6, "ampere", 860, 21, 336, 0.42, 11.1, true},
    {"RTX 3060 Ti", 8, "ampere", 860, 32.4, 448, 0.6, 11.1, true},
    {"RTX 3070", 8, "ampere", 860, 40.6, 448, 0.66, 11.1, true},
    {"RTX 3070 laptop", 8, "ampere", 860, 31.8, 448, 0.55, 11.1, true},
    {"RTX 3070 Ti", 8, "ampere", 860, 43.5, 608, 0.72, 11.1, true},
    {"RTX 3080", 10, "ampere", 860, 59.5, 760, 0.87, 11.1, true},
    {"RTX 3080 Ti", 12, "ampere", 860, 68.2, 912, 0.97, 11.1, true},
    {"RTX 3090", 24, "ampere", 860, 71, 936, 1, 11.1, true},
    {"RTX 3090 Ti", 24, "ampere", 860, 80, 1008, 1.1, 11.1, true},
    {"RTX A2000", 12, "ampere", 860, 31.9, 288, 0.4, 11.1, true},
    {"RTX A4000", 16, "ampere", 860, 76.7, 448, 0.6, 11.1, true},
    {"RTX A4500", 20, "ampere", 860, 94.6, 640, 0.78, 11.1, true},
    {"RTX A5000", 24, "ampere", 860, 111.1, 768, 0.9, 11.1, true},
    {"RTX A6000", 48, "ampere", 860, 154.8, 768, 1.1, 11.1, true},
    {"A10", 24, "ampere", 860, 125, 600, 0.73, 11.1, true},
    {"A10g", 24, "ampere", 860, 70, 600, 0.7, 11.1, true},
    {"A16", 16, "ampere", 860, 17.9, 200, 0.25, 11.1, true},
    {"A30", 24, "ampere", 800, 165, 933, 1.15, 11.0, true},
    {"A40", 48, "ampere", 860, 149.7, 696, 1, 11.1, true},
    {"A100 PCIE", 80, "ampere", 800, 312, 1935, 1.9, 11.0, true},
    {"A100 SXM4", 80, "ampere", 800, 312, 2039, 2, 11.0, true},
    {"A100X", 80, "ampere", 800, 312, 2039, 1.9, 11.0, true},
    {"A800 PCIE", 80, "ampere", 800, 312, 1935, 1.9, 11.0, true},
    {"RTX 4060", 8, "ada", 890, 30.2, 272, 0.55, 11.8, true},
    {"RTX 4060 laptop", 8, "ada", 890, 23, 256, 0.45, 11.8, true},
    {"RTX 4060 Ti", 16, "ada", 890, 44.1, 288, 0.65, 11.8, true},
    {"RTX 4070", 12, "ada", 890, 58.3, 504, 0.85, 11.8, true},
    {"RTX 4070 laptop", 8, "ada", 890, 31, 256, 0.55, 11.8, true},
    {"RTX 4070S", 12, "ada", 890, 71, 504, 0.98, 11.8, true},
    {"RTX 4070 Ti", 12, "ada", 890, 80.2, 504, 1.05, 11.8, true},
    {"RTX 4070S Ti", 16, "ada", 890, 88.2, 672, 1.15, 11.8, true},
    {"RTX 4080", 16, "ada", 890, 97.5, 717, 1.22, 11.8, true},
    {"RTX 4080 laptop", 12, "ada", 890, 49, 432, 0.75, 11.8, true},
    {"RTX 4080S", 16, "ada", 890, 104.4, 736, 1.27, 11.8, true},
    {"RTX 4090", 24, "ada", 890, 165.2, 1008, 1.6, 11.8, true},
    {"RTX 4090D", 24, "ada", 890, 147, 1008, 1.48, 11.8, true},
    {"RTX 2000Ada", 16, "ada", 890, 48, 224, 0.42, 11.8, true},
    {"RTX 4000Ada", 20, "ada", 890, 106.9, 360, 0.75, 11.8, true},
    {"RTX 4500Ada", 24, "ada", 890, 158.5, 432, 1, 11.8, true},
    {"RTX 5000Ada", 32, "ada", 890, 261.1, 576, 1.2, 11.8, true},
    {"RTX 5880Ada", 48, "ada", 890, 277.1, 960, 1.45, 11.8, true},
    {"RTX 6000Ada", 48, "ada", 890, 364.2, 960, 1.56, 11.8, true},
    {"L4", 24, "ada", 890, 121, 300, 0.5, 11.8, true},
    {"L40", 48, "ada", 890, 181, 864, 1.35, 11.8, true},
    {"L40S", 48, "ada", 890, 362, 864, 1.5, 11.8, true},
    {"H100 PCIE", 80, "hopper", 900, 756, 2039, 2.6, 11.8, true},
    {"H100 SXM", 80, "hopper", 900, 989.4, 3350, 3.3, 11.8, true},
    {"H100 NVL", 94, "hopper", 900, 835, 3938, 3, 11.8, true},
    {"H200", 141, "hopper", 900, 989.4, 4800, 3.8, 11.8, true},
    {"H200 NVL", 141, "hopper", 900, 835, 4800, 3.4, 11.8, true},
    {"GH200 SXM", 96, "hopper", 900, 989.4, 4000, 3.5, 11.8, true},
    {"B200", 180, "blackwell", 1000, 2250, 8000, 5.2, 12.8, true},
    {"B300", 268, "blackwell", 1030, 2250, 8000, 5.5, 12.9, true},
    {"RTX 5060", 8, "blackwell", 1200, 38.4, 448, 0.68, 12.8, true},
    {"RTX 5060 Ti", 16, "blackwell", 1200, 47.4, 448, 0.78, 12.8, true},
    {"RTX 5070", 12, "blackwell", 1200, 61.7, 672, 1, 12.8, true},
    {"RTX 5070 Ti", 16, "blackwell", 1200, 87.9, 896, 1.3, 12.8, true},
    {"RTX 5080", 16, "blackwell", 1200, 112.6, 960, 1.5, 12.8, true},
    {"RTX 5090", 32, "blackwell", 1200, 209.5, 1792, 2.3, 12.8, true},
    {"RTX PRO 4000", 24, "blackwell", 1200, 147, 672, 1.15, 12.8, true},
    {"RTX PRO 4500", 32, "blackwell", 1200, 211, 896, 1.5, 12.8, true},
    {"RTX PRO 5000", 48, "blackwell", 1200, 268, 1344, 1.9, 12.8, true},
    {"RTX PRO 6000 S", 96, "blackwell", 1200, 480, 1597, 2.4, 12.8, true},
    {"RTX PRO 6000 WS", 96, "blackwell", 1200, 503.8, 1792, 2.6, 12.8, true},
    {"RTX PRO 6000 Max-Q", 96, "blackwell", 1200, 439, 1792, 2.3, 12.8, true},
    {"RTX 2060", 6, "turing", 750, 25.8, 336, 0.33, 10.0, false},
    {"RTX 2060S", 8, "turing", 750, 28.7, 448, 0.4, 10.0, false},
    {"RTX 2070", 8, "turing", 750, 29.9, 448, 0.42, 10.0, false},
    {"RTX 2070S", 8, "turing", 750, 36.3, 448, 0.47, 10.0, false},
    {"RTX 2080", 8, "turing", 750, 40.3, 448, 0.5, 10.0, false},
    {"RTX 2080S", 8, "turing", 750, 44.6, 496, 0.54, 10.0, false},
    {"RTX 2080 Ti", 11, "turing", 750, 53.8, 616, 0.66, 10.0, false},
    {"Titan RTX", 24, "turing", 750, 130.5, 672, 0.82, 10.0, false},
    {"Q RTX 4000", 8, "turing", 750, 57, 416, 0.45, 10.0, false},
    {"Q RTX 5000", 16, "turing", 750, 89.2, 448, 0.55, 10.0, false},
    {"Q RTX 6000", 24, "turing", 750, 130.5, 672, 0.79, 10.0, false},
    {"Q RTX 8000", 48, "turing", 750, 130.5, 672, 0.79, 10.0, false},
    {"Tesla T4", 16, "turing", 750, 65, 320, 0.35, 10.0, false},
    {"GTX 1660 S", 6, "turing", 750, 10, 336, 0.2, 10.0, false},
    {"Titan V", 12, "volta", 700, 110, 653, 0.75, 9.0, false},
    {"Tesla V100", 32, "volta", 700, 125, 900, 0.82, 9.0, false},
    {"Tesla P100", 16, "pascal", 600, 21.2, 732, 0.3, 8.0, false},
    {"Tesla P40", 24, "pascal", 610, 11.8, 346, 0.22, 8.0, false},
    // Rarely for rent; people measure on them.
    {"GTX 1060", 6, "pascal", 610, 4.4, 192, 0.1, 8.0, false},
    {"GTX 1070", 8, "pascal", 610, 6.5, 256, 0.14, 8.0, false},
    {"GTX 1070 Ti", 8, "pascal", 610, 8.2, 256, 0.16, 8.0, false},
    {"GTX 1650", 4, "turing", 750, 3.0, 128, 0.08, 10.0, false},
    {"GTX 1660 Ti", 6, "turing", 750, 11, 288, 0.19, 10.0, false},
    {"Tesla K80", 12, "kepler", 370, 4.1, 240, 0.06, 5.0, false},
    {"GTX 1080", 8, "pascal", 610, 8.9, 320, 0.18, 8.0, false},
    {"GTX 1080 Ti", 11, "pascal", 610, 11.3, 484, 0.25, 8.0, false},
    {"Titan Xp", 12, "pascal", 610, 12.1, 548, 0.27, 8.0, false},
});

}  // namespace

std::span<const GpuModel> all_gpu_models() { return kModels; }

const GpuModel* find_gpu(std::string_view name) {
  static const auto* const by_key = [] {  // searches ask thousands of times
    auto* made = new std::unordered_map<std::string, const GpuModel*>;
    for (const GpuModel& model : kModels) made->emplace(gpu_key(model.name), &model);
    return made;
  }();
  const auto at = by_key->find(gpu_key(name));
  return at == by_key->end() ? nullptr : at->second;
}

}  // namespace vastgpu
