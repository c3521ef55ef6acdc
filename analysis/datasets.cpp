#include "analysis/datasets.h"

#include <array>

#include "analysis/amounts.h"

namespace vastgpu {
namespace {

constexpr auto kDatasets = std::to_array<KnownDataset>({
    {"imagenet", 300},  {"imagenet-1k", 300}, {"coco", 40},       {"ms-coco", 40},     {"ade20k", 4},
    {"cityscapes", 24}, {"librispeech", 120}, {"voxceleb2", 140}, {"voxceleb1", 60},   {"kinetics-400", 260},
    {"places365", 50},  {"openwebtext", 60},  {"cifar-10", 1},    {"cifar10", 1},      {"cifar-100", 1},
    {"cifar100", 1},    {"mnist", 1},         {"wikitext-2", 1},  {"wikitext-103", 2}, {"glue", 1},
    {"squad", 1},       {"mnli", 2},          {"imdb", 1},        {"alpaca", 1},       {"gsm8k", 1},
    {"celeba", 4},      {"lsun", 100},        {"nuscenes", 700},  {"kitti", 60},       {"common voice", 160},
});

}  // namespace

std::optional<KnownDataset> find_dataset(std::string_view plain_text) {
  std::optional<KnownDataset> largest;
  for (const KnownDataset& d : kDatasets)
    if (has_word(plain_text, {d.name}) && (!largest || d.disk_gb > largest->disk_gb)) largest = d;
  return largest;
}

}  // namespace vastgpu
