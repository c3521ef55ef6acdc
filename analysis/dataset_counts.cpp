#include "analysis/dataset_counts.h"

#include <array>

#include "analysis/amounts.h"

namespace vastgpu {
namespace {

// Published sizes of the training splits.
constexpr auto kCounts = std::to_array<CountedDataset>({
    {"mnist", 60'000, 0, 0, 28},
    {"fashion-mnist", 60'000, 0, 0, 28},
    {"cifar-10", 50'000, 0, 0, 32},
    {"cifar10", 50'000, 0, 0, 32},
    {"cifar-100", 50'000, 0, 0, 32},
    {"cifar100", 50'000, 0, 0, 32},
    {"svhn", 73'257, 0, 0, 32},
    {"stl-10", 5'000, 0, 0, 96},
    {"tiny-imagenet", 100'000, 0, 0, 64},
    {"tiny imagenet", 100'000, 0, 0, 64},
    {"imagenet-100", 126'689, 0, 0, 0},
    {"imagenet", 1'281'167, 0, 0, 0},
    {"imagenet-1k", 1'281'167, 0, 0, 0},
    {"places365", 1'803'460, 0, 0, 0},
    {"flowers-102", 8'189, 0, 0, 0},
    {"food-101", 75'750, 0, 0, 0},
    {"celeba", 162'770, 0, 0, 0},
    {"ffhq", 70'000, 0, 0, 0},
    {"coco", 118'287, 0, 0, 0},
    {"ms-coco", 118'287, 0, 0, 0},
    {"pascal voc", 16'551, 0, 0, 0},
    {"ade20k", 20'210, 0, 0, 0},
    {"cityscapes", 2'975, 0, 0, 0},
    {"kitti", 7'481, 0, 0, 0},
    {"kinetics-400", 240'000, 0, 0, 0},
    {"librispeech", 281'241, 0, 0, 0},
    {"ljspeech", 13'100, 0, 0, 0},
    {"voxceleb1", 148'642, 0, 0, 0},
    {"voxceleb2", 1'092'009, 0, 0, 0},
    {"squad", 87'599, 0, 170, 0},
    {"mnli", 392'702, 0, 40, 0},
    {"sst-2", 67'349, 0, 20, 0},
    {"qqp", 363'846, 0, 30, 0},
    {"imdb", 25'000, 0, 290, 0},
    {"ag news", 120'000, 0, 50, 0},
    {"gsm8k", 7'473, 0, 180, 0},
    {"alpaca", 52'002, 0, 110, 0},
    {"alpaca-cleaned", 51'760, 0, 160, 0},
    {"dolly", 15'011, 0, 190, 0},
    {"oasst1", 9'846, 0, 400, 0},
    {"ultrachat", 207'865, 0, 1'200, 0},
    {"samsum", 14'732, 0, 160, 0},
    {"wikitext-2", 0, 2.4e6, 0, 0},
    {"wikitext-103", 0, 1.2e8, 0, 0},
    {"openwebtext", 0, 9e9, 0, 0},
    {"tinystories", 0, 4.7e8, 0, 0},
    {"enwik8", 0, 1e8, 0, 0},
    {"fineweb-edu-10b", 0, 1e10, 0, 0},
});

}  // namespace

std::optional<CountedDataset> find_counted_dataset(std::string_view plain_text) {
  std::optional<CountedDataset> found;
  for (const CountedDataset& d : kCounts) {
    if (!has_word(plain_text, {d.name})) continue;
    // "tiny-imagenet" is not "imagenet": the longer name counts.
    if (found && found->name.find(d.name) != std::string_view::npos) continue;
    if (!found || d.name.find(found->name) != std::string_view::npos ||
        d.samples * 100 + d.tokens > found->samples * 100 + found->tokens)
      found = d;
  }
  return found;
}

}  // namespace vastgpu
