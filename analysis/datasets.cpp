#include "analysis/datasets.h"

#include <algorithm>
#include <array>

#include "core/text.h"

namespace vastgpu {
namespace {

constexpr auto kDatasets = std::to_array<KnownDataset>({
    // vision
    {"imagenet", 300},
    {"imagenet-1k", 300},
    {"ilsvrc2012", 300},
    {"imagenet-100", 30},
    {"imagenet-21k", 2600},
    {"imagenet-c", 150},
    {"imagenet-v2", 3},
    {"tiny-imagenet", 1},
    {"tiny imagenet", 1},
    {"tinyimagenet", 1},
    {"imagenette", 3},
    {"coco", 40},
    {"ms-coco", 40},
    {"ms coco", 40},
    {"coco 2017", 40},
    {"lvis", 40},
    {"ade20k", 4},
    {"cityscapes", 24},
    {"pascal voc", 5},
    {"voc2012", 5},
    {"bdd100k", 20},
    {"kitti", 60},
    {"nuscenes", 700},
    {"waymo open", 0},
    {"places365", 50},
    {"inaturalist", 400},
    {"cifar-10", 1},
    {"cifar10", 1},
    {"cifar-100", 1},
    {"cifar100", 1},
    {"mnist", 1},
    {"fashion-mnist", 1},
    {"svhn", 3},
    {"stl-10", 5},
    {"cub-200", 3},
    {"stanford cars", 4},
    {"oxford-iiit pet", 2},
    {"flowers102", 1},
    {"flowers-102", 1},
    {"food-101", 10},
    {"food101", 10},
    {"dtd", 2},
    {"eurosat", 6},
    {"plantvillage", 2},
    {"celeba", 4},
    {"celeba-hq", 10},
    {"ffhq", 90},
    {"lsun", 100},
    {"div2k", 8},
    {"gopro", 20},
    {"nyu depth v2", 60},
    {"nyuv2", 60},
    {"scannet", 1300},
    {"shapenet", 60},
    {"modelnet40", 4},
    {"domainnet", 40},
    {"office-home", 3},
    {"wilds", 0, true},
    {"brats", 30},
    {"isic", 20},
    {"chexpert", 450},
    {"chestx-ray14", 90},
    {"mimic-cxr", 550},
    {"camelyon16", 1400},
    {"camelyon17", 10},
    {"sa-1b", 11000},
    {"laion-400m", 10000},
    {"laion", 0},
    {"cc3m", 300},
    {"cc12m", 1200},
    {"webvid", 0},
    {"kinetics-400", 260},
    {"kinetics-600", 400},
    {"ucf101", 14},
    {"ucf-101", 14},
    {"hmdb51", 5},
    {"something-something v2", 40},
    {"msr-vtt", 10},
    {"ego4d", 7000},
    {"vqav2", 40},
    {"docvqa", 10},
    {"textvqa", 10},
    {"chartqa", 2},
    {"scienceqa", 1},
    {"mathvista", 1},
    {"mmmu", 4},
    {"mvtec", 5},
    {"synapse", 2, true},
    {"acdc", 3},
    {"refuge", 2, true},
    {"gta5", 60},
    {"synthia", 25},
    {"re10k", 500},
    {"dl3dv", 0},
    {"objaverse", 0},
    {"gqa", 25},
    {"flickr30k", 9},
    // sound
    {"librispeech", 120},
    {"libritts", 80},
    {"libri-light", 3700},
    {"ljspeech", 8},
    {"vctk", 25},
    {"common voice", 160},
    {"gigaspeech", 1000},
    {"aishell-1", 32},
    {"aishell", 32},
    {"wenetspeech", 500},
    {"voxceleb1", 60},
    {"voxceleb2", 140},
    {"voxceleb", 200},
    {"musan", 24},
    {"audioset", 1000},
    {"esc-50", 2},
    {"fsd50k", 50},
    {"wham!", 40},
    {"libri2mix", 130},
    {"musdb18", 10},
    {"tedlium", 60},
    {"timit", 1},
    // language
    {"openwebtext", 60},
    {"c4", 800, true},
    {"the pile", 1600},
    {"slimpajama", 1800},
    {"redpajama", 0},
    {"fineweb-edu", 0},
    {"fineweb", 0},
    {"dolma", 0},
    {"starcoderdata", 800},
    {"the stack", 0},
    {"tinystories", 5},
    {"bookcorpus", 10},
    {"wikitext-2", 1},
    {"wikitext-103", 2},
    {"ptb", 1},
    {"enwik8", 1},
    {"glue", 1},
    {"superglue", 1},
    {"sst-2", 1},
    {"mnli", 2},
    {"qnli", 1},
    {"mrpc", 1},
    {"cola", 1, true},
    {"squad", 1},
    {"natural questions", 100},
    {"hotpotqa", 3},
    {"triviaqa", 8},
    {"msmarco", 10},
    {"ms marco", 10},
    {"beir", 30},
    {"imdb", 1},
    {"ag news", 1},
    {"dbpedia", 1},
    {"cnn/dailymail", 3},
    {"cnn-dailymail", 3},
    {"xsum", 1},
    {"wmt14", 6},
    {"wmt16", 4},
    {"wmt19", 10},
    {"flores", 1, true},
    {"conll-2003", 1},
    {"alpaca", 1},
    {"alpaca-cleaned", 1},
    {"dolly-15k", 1},
    {"oasst1", 1},
    {"sharegpt", 2},
    {"ultrachat", 5},
    {"ultrafeedback", 2},
    {"openhermes", 3},
    {"slimorca", 2},
    {"openorca", 7},
    {"tulu-3", 5},
    {"hh-rlhf", 1},
    {"metamathqa", 1},
    {"openmathinstruct", 20},
    {"numinamath", 3},
    {"gsm8k", 1},
    {"math-500", 1},
    {"math500", 1},
    {"aime", 1},
    {"mmlu", 1},
    {"mmlu-pro", 1},
    {"gpqa", 1},
    {"hellaswag", 1},
    {"arc-challenge", 1},
    {"winogrande", 1},
    {"truthfulqa", 1},
    {"bbh", 1},
    {"humaneval", 1},
    {"mbpp", 1},
    {"livecodebench", 5},
    {"swe-bench", 120},
    {"longbench", 1},
    {"ruler", 1, true},
    {"alpacaeval", 1},
    {"mt-bench", 1},
    {"ifeval", 1},
    {"ceval", 1},
    {"c-eval", 1},
    {"cmmlu", 1},
    {"belle", 3, true},
    // graphs, tables, science, control
    {"ogbn-products", 2},
    {"ogbn-arxiv", 1},
    {"ogbn-papers100m", 120},
    {"ogbg-molhiv", 1},
    {"pubmed", 40},
    {"qm9", 1},
    {"zinc", 1, true},
    {"md17", 2},
    {"oc20", 1200},
    {"uspto-50k", 1},
    {"uspto-full", 2},
    {"moleculenet", 1},
    {"uniref50", 30},
    {"casp14", 1},
    {"era5", 0},
    {"ettm1", 1},
    {"etth1", 1},
    {"movielens-1m", 1},
    {"movielens-20m", 1},
    {"criteo", 700},
    {"d4rl", 5},
    {"atari", 1},
    {"procgen", 1},
    {"mimic-iii", 50},
    {"mimic-iv", 100},
});

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

}  // namespace

std::vector<DatasetMention> find_datasets(std::string_view text) {
  std::vector<DatasetMention> found;
  const std::string lower = to_lower(text);
  const std::string_view view = lower;
  for (std::size_t i = 0; i < view.size() && found.size() < 20; ++i) {
    if (!is_word(view[i]) || (i > 0 && is_word(view[i - 1]))) continue;
    const KnownDataset* best = nullptr;
    for (const KnownDataset& d : kDatasets) {
      if (d.name[0] != view[i] || !view.substr(i).starts_with(d.name)) continue;
      const std::size_t end = i + d.name.size();
      if (end < view.size() && is_word(view[end]) && is_word(d.name.back())) continue;
      if (d.is_word && !(text[i] >= 'A' && text[i] <= 'Z')) continue;
      if (best == nullptr || best->name.size() < d.name.size()) best = &d;
    }
    if (best == nullptr) continue;
    // "CIFAR-100-LT", "MNIST-C", "Alpaca-52k" are named as they stand, unless a model is meant.
    std::size_t end = i + best->name.size();
    while (end + 1 < view.size() && view[end] == '-' && is_word(view[end + 1])) {
      std::size_t part = end + 1;
      while (part < view.size() && (is_word(view[part]) || view[part] == '.')) ++part;
      while (part > end + 1 && view[part - 1] == '.') --part;
      end = part;
    }
    const bool is_model = (best->name.starts_with("alpaca") || best->name == "belle" ||
                           best->name == "openhermes" || best->name == "tulu-3") &&
                          view[end - 1] == 'b' && end - i > best->name.size() &&
                          std::isdigit(static_cast<unsigned char>(view[end - 2]));
    if (!is_model) found.push_back({clean_line(text.substr(i, end - i), 80), best, i});
    i = end - 1;
  }
  return found;
}

std::optional<KnownDataset> find_dataset(std::string_view plain_text) {
  std::optional<KnownDataset> largest;
  for (const KnownDataset& d : kDatasets) {
    for (std::size_t at = plain_text.find(d.name); at != std::string_view::npos && !d.is_word;
         at = plain_text.find(d.name, at + 1)) {
      const std::size_t end = at + d.name.size();
      const bool opens = at == 0 || !is_word(plain_text[at - 1]);
      const bool closes = end >= plain_text.size() || !is_word(plain_text[end]) || !is_word(d.name.back());
      if (opens && closes && (!largest || d.disk_gb > largest->disk_gb)) largest = d;
    }
  }
  // Words of everyday speech count where nothing else is named.
  if (!largest)
    for (const KnownDataset& d : kDatasets)
      if (d.is_word && plain_text == d.name) largest = d;
  return largest;
}

}  // namespace vastgpu
