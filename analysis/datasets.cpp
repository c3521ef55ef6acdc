#include "analysis/datasets.h"

#include <array>

#include "analysis/amounts.h"

namespace vastgpu {
namespace {

constexpr auto kDatasets = std::to_array<KnownDataset>({
    {"imagenet", 300, 1'281'167},
    {"imagenet-1k", 300, 1'281'167},
    {"coco", 40, 118'287},
    {"ms-coco", 40, 118'287},
    {"ade20k", 4, 20'210},
    {"cityscapes", 24, 2'975},
    {"librispeech", 120, 281'241},
    {"voxceleb2", 140},
    {"voxceleb1", 60},
    {"kinetics-400", 260, 240'436},
    {"places365", 50, 1'803'460},
    {"openwebtext", 60},
    {"cifar-10", 1, 50'000},
    {"cifar10", 1, 50'000},
    {"cifar-100", 1, 50'000},
    {"cifar100", 1, 50'000},
    {"mnist", 1, 60'000},
    {"wikitext-2", 1},
    {"wikitext-103", 2},
    {"glue", 1},
    {"squad", 1, 87'599},
    {"mnli", 2, 392'702},
    {"imdb", 1, 25'000},
    {"alpaca", 1, 52'002},
    {"gsm8k", 1, 7'473},
    {"celeba", 4, 162'770},
    {"lsun", 100},
    {"nuscenes", 700},
    {"kitti", 60},
    {"common voice", 160},
});

}  // namespace

std::optional<KnownDataset> find_dataset(std::string_view plain_text) {
  std::optional<KnownDataset> largest;
  for (const KnownDataset& d : kDatasets)
    if (has_word(plain_text, {d.name}) && (!largest || d.disk_gb > largest->disk_gb)) largest = d;
  return largest;
}

}  // namespace vastgpu
