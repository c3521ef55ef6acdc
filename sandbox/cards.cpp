// What is sold, at which price: believable, not current.
#include <array>

#include "core/gpu_table.h"
#include "sandbox/catalogue.h"

namespace vastgpu::sandbox {
namespace {

constexpr auto kCards = std::to_array<Card>({
    // name, driver's name, MiB, low, high $/h, watts, most, weight
    {"RTX 4090", "NVIDIA GeForce RTX 4090", 24564, 0.28, 0.50, 450, 8, 12},
    {"RTX 3090", "NVIDIA GeForce RTX 3090", 24576, 0.15, 0.30, 350, 8, 12},
    {"RTX 5090", "NVIDIA GeForce RTX 5090", 32607, 0.40, 0.70, 575, 8, 9},
    {"RTX 3060", "NVIDIA GeForce RTX 3060", 12288, 0.05, 0.09, 170, 4, 6},
    {"RTX A6000", "NVIDIA RTX A6000", 49140, 0.45, 0.80, 300, 8, 5},
    {"RTX A5000", "NVIDIA RTX A5000", 24564, 0.20, 0.30, 230, 8, 5},
    {"A100 SXM4", "NVIDIA A100-SXM4-80GB", 81920, 0.90, 1.50, 400, 8, 6},
    {"A100 PCIE", "NVIDIA A100 80GB PCIe", 81920, 0.80, 1.30, 300, 8, 4},
    {"H100 SXM", "NVIDIA H100 80GB HBM3", 81559, 1.90, 2.80, 700, 8, 6},
    {"H100 NVL", "NVIDIA H100 NVL", 95830, 1.70, 2.50, 400, 8, 2},
    {"H200", "NVIDIA H200", 143771, 2.40, 3.50, 700, 8, 3},
    {"B200", "NVIDIA B200", 183359, 3.00, 5.00, 1000, 8, 2},
    {"L40S", "NVIDIA L40S", 46068, 0.60, 0.90, 350, 8, 5},
    {"RTX 6000Ada", "NVIDIA RTX 6000 Ada Generation", 49140, 0.60, 0.90, 300, 8, 4},
    {"RTX PRO 6000 WS", "NVIDIA RTX PRO 6000 Blackwell Workstation Edition", 97887, 0.90, 1.40, 600, 4, 3},
    {"RTX 4080", "NVIDIA GeForce RTX 4080", 16376, 0.18, 0.30, 320, 4, 3},
    {"RTX 4080S", "NVIDIA GeForce RTX 4080 SUPER", 16376, 0.18, 0.32, 320, 4, 3},
    {"RTX 4070 Ti", "NVIDIA GeForce RTX 4070 Ti", 12282, 0.12, 0.20, 285, 4, 2},
    {"RTX 4070S Ti", "NVIDIA GeForce RTX 4070 Ti SUPER", 16376, 0.14, 0.22, 285, 4, 3},
    {"RTX 4070", "NVIDIA GeForce RTX 4070", 12282, 0.09, 0.15, 200, 2, 2},
    {"RTX 4060 Ti", "NVIDIA GeForce RTX 4060 Ti", 16380, 0.08, 0.13, 165, 4, 3},
    {"RTX 3090 Ti", "NVIDIA GeForce RTX 3090 Ti", 24564, 0.18, 0.32, 450, 4, 2},
    {"RTX 3080", "NVIDIA GeForce RTX 3080", 10240, 0.09, 0.16, 320, 4, 4},
    {"RTX 3080 Ti", "NVIDIA GeForce RTX 3080 Ti", 12288, 0.11, 0.18, 350, 4, 2},
    {"RTX 3070", "NVIDIA GeForce RTX 3070", 8192, 0.06, 0.11, 220, 4, 3},
    {"RTX 3060 Ti", "NVIDIA GeForce RTX 3060 Ti", 8192, 0.06, 0.10, 200, 2, 2},
    {"RTX 5080", "NVIDIA GeForce RTX 5080", 16303, 0.22, 0.38, 360, 4, 3},
    {"RTX 5070 Ti", "NVIDIA GeForce RTX 5070 Ti", 16303, 0.16, 0.26, 300, 4, 3},
    {"RTX 5060 Ti", "NVIDIA GeForce RTX 5060 Ti", 16311, 0.09, 0.16, 180, 4, 2},
    {"RTX A4000", "NVIDIA RTX A4000", 16376, 0.09, 0.17, 140, 8, 4},
    {"RTX A4500", "NVIDIA RTX A4500", 20470, 0.14, 0.22, 200, 4, 2},
    {"A10", "NVIDIA A10", 23028, 0.16, 0.28, 150, 4, 2},
    {"A40", "NVIDIA A40", 46068, 0.34, 0.55, 300, 8, 3},
    {"L4", "NVIDIA L4", 23034, 0.22, 0.40, 72, 4, 2},
    {"L40", "NVIDIA L40", 46068, 0.50, 0.80, 300, 8, 2},
    {"Tesla T4", "Tesla T4", 15360, 0.09, 0.13, 70, 4, 3},
    {"Tesla V100", "Tesla V100-SXM2-32GB", 32768, 0.15, 0.30, 300, 8, 4},
    {"Tesla P100", "Tesla P100-PCIE-16GB", 16384, 0.06, 0.11, 250, 4, 2},
    {"RTX 2080 Ti", "NVIDIA GeForce RTX 2080 Ti", 11264, 0.07, 0.13, 250, 8, 3},
    {"Titan RTX", "NVIDIA TITAN RTX", 24576, 0.12, 0.20, 280, 2, 1},
    {"Q RTX 8000", "Quadro RTX 8000", 49152, 0.20, 0.34, 260, 4, 1},
    {"GTX 1080 Ti", "NVIDIA GeForce GTX 1080 Ti", 11264, 0.04, 0.08, 250, 8, 2},
    {"RX 7900 XTX", "AMD Radeon RX 7900 XTX", 24560, 0.18, 0.30, 355, 2, 1},
    {"InstinctMI210", "AMD Instinct MI210", 65520, 0.60, 0.95, 300, 4, 1},
    {"PRO W7900", "AMD Radeon PRO W7900", 49136, 0.35, 0.55, 295, 2, 1},
});

}  // namespace

std::span<const Card> cards() { return kCards; }

CardFacts card_facts(const Card& card) {
  if (const GpuModel* model = find_gpu(card.name))
    return {model->compute_cap,    model->tflops_fp16 / 2, model->mem_gb_per_s,
            model->relative_speed, model->min_cuda,        model->compute_cap == 0};
  // AMD cards are not in the table of core: the product does not rank them, it has to leave them out.
  if (card.name == "InstinctMI210") return {0, 22.6, 1638, 1.0, 0, true};
  if (card.name == "PRO W7900") return {0, 30.6, 864, 0.8, 0, true};
  return {0, 30.7, 960, 0.85, 0, true};
}

}  // namespace vastgpu::sandbox
