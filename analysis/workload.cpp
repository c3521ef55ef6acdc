#include "analysis/workload.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <initializer_list>

#include "analysis/amounts.h"
#include "core/text.h"

namespace vastgpu {
namespace {

const Resolution kUsualVideo{720, 480, 49};  // what open video models are trained on

bool any_in(const std::string& text, std::initializer_list<std::string_view> words) {
  return std::ranges::any_of(words, [&](std::string_view w) { return text.find(w) != std::string::npos; });
}

/// The kind of network, where no card tells it: from what was said of it, then from its name.
Family kind_of(const ClaimBook& claims, const std::string& name, const std::string& words) {
  const std::string arch = to_lower(claims.word("arch").value_or(""));
  const auto named = [&](const std::string& text) -> std::optional<Family> {
    if (any_in(text, {"diffusion",
                      "unet-sd",
                      "dit-",
                      "mmdit",
                      "ddpm",
                      "flux",
                      "krea",
                      "sdxl",
                      "controlnet",
                      "dreambooth",
                      "text-to-video",
                      "text-to-image",
                      "t2v",
                      "t2i",
                      "open-sora",
                      "cogvideo",
                      "hunyuanvideo",
                      "wan2",
                      "ltx",
                      "z-image",
                      "lumina",
                      "kolors",
                      "chroma",
                      "hidream",
                      "stable-audio",
                      "mochi",
                      "comfyui",
                      "video generation",
                      "image generation",
                      "stable diffusion"}))
      return Family::diffusion;
    if (any_in(text, {"detect", "rcnn", "r-cnn", "yolo", "detr", "retinanet", "efficientdet", "vitdet",
                      "fcos", "ssd300", "centernet"}))
      return Family::detection;
    if (any_in(text, {"segment", "unet", "u-net", "deeplab", "segformer", "mask2former", "pspnet"}))
      return Family::segmentation;
    if (any_in(text, {"speech",  "audio",    "whisper",   "wav2vec",    "hubert",    "tacotron", "waveglow",
                      "hifigan", "hifi-gan", "fastpitch", "fastspeech", "quartznet", "jasper",   "conformer",
                      "wavlm",   "vits",     "rnnt",      "rnn-t",      "asr",       "tts"}))
      return Family::speech;
    if (any_in(text, {"resnet",
                      "vit-",
                      "vit_",
                      "swin",
                      "convnext",
                      "efficientnet",
                      "mobilenet",
                      "densenet",
                      "dino",
                      "mae",
                      "simclr",
                      "moco",
                      "byol",
                      "deit",
                      "beit",
                      "imagenet",
                      "-r50",
                      "-r101",
                      "video recognition",
                      "image classif",
                      "cnn"}))
      return Family::vision;
    if (any_in(text, {"bert", "deberta", "electra", "minilm", "mpnet", "bge-", "e5-", "gte-"}))
      return Family::encoder;
    if (any_in(text, {"-vl", "llava", "vlm", "glm-4v", "minicpm-v", "internvl", "idefics", "paligemma"}))
      return Family::vision_language;
    return std::nullopt;
  };
  if (any_in(arch, {"speech", "audio"})) return Family::speech;
  if (any_in(arch, {"detect"})) return Family::detection;
  if (any_in(arch, {"segment", "unet"})) return Family::segmentation;
  if (any_in(arch, {"diffusion", "dit"})) return Family::diffusion;
  if (any_in(arch, {"encoder", "bert"})) return Family::encoder;
  if (any_in(arch, {"video", "vision", "cnn", "vit", "image"})) return Family::vision;
  if (any_in(arch, {"llm", "decoder", "causal", "moe"})) return Family::language;
  if (const auto by_name = named(name)) return *by_name;
  if (claims.has("seq") || claims.has("tokens") || claims.has("avg_tokens") || claims.has("vocab"))
    return Family::language;
  if (claims.has("te_cached") || (claims.has("res") && claims.has("rank"))) return Family::diffusion;
  if (claims.has("fwd_gflops")) return Family::vision;
  if (const auto by_words = named(words)) return *by_words;
  if (claims.has("res"))
    return claims.number("params_b").value_or(0) > 0.9 ? Family::diffusion : Family::vision;
  return claims.number("params_b").value_or(0) >= 0.05 ? Family::language : Family::other;
}

class Reader {
 public:
  Reader(const ClaimBook& claims, Workload& w) : claims_(claims), w_(w) {}

  double number(const char* setting, double otherwise) {
    if (const auto v = claims_.number(setting)) return *v;
    w_.assumed.emplace_back(setting);
    return otherwise;
  }
  bool flag(const char* setting, bool otherwise) {
    if (const auto v = claims_.flag(setting)) return *v;
    w_.assumed.emplace_back(setting);
    return otherwise;
  }
  std::string word(const char* setting, const char* otherwise) {
    if (const auto v = claims_.word(setting)) return *v;
    w_.assumed.emplace_back(setting);
    return otherwise;
  }

 private:
  const ClaimBook& claims_;
  Workload& w_;
};

bool is_transformer(Family f) {
  return f == Family::language || f == Family::vision_language || f == Family::encoder ||
         f == Family::seq2seq;
}

void settle_shape(const ClaimBook& claims, Workload& w) {
  const Geometry usual = usual_shape(
      w.active_params_b < w.params_b ? std::sqrt(w.active_params_b * w.params_b) : w.params_b, w.family);
  // A card's shape holds for its own size; a model of another size under the same name gets the usual one.
  const bool fits = w.card != nullptr && w.card->shape.layers > 0 && w.card->params_b > 0 &&
                    std::abs(std::log(w.params_b / w.card->params_b)) < 0.3;
  w.shape = fits ? w.card->shape : usual;
  if (!fits && w.card != nullptr && w.card->shape.vocab > 0) w.shape.vocab = w.card->shape.vocab;
  const auto take = [&](const char* name, double& into) {
    if (w.card != nullptr && claims.rank_of(name) > claims.rank_of("model")) return;
    if (const auto v = claims.number(name)) into = *v;
  };
  double layers = w.shape.layers;
  const double hidden_before = w.shape.hidden;
  take("layers", layers);
  w.shape.layers = static_cast<int>(layers);
  take("hidden", w.shape.hidden);
  if (w.shape.hidden != hidden_before && hidden_before > 0) w.shape.ffn *= w.shape.hidden / hidden_before;
  take("ffn", w.shape.ffn);
  take("vocab", w.shape.vocab);
  take("heads", w.shape.heads);
  take("kv_heads", w.shape.kv_heads);
  if (w.shape.head_dim <= 0 || claims.has("heads") || claims.has("hidden"))
    w.shape.head_dim = w.shape.hidden / std::max(1.0, w.shape.heads);
}

/// Parameters of a decoder whose shape stands in the code. 12 h^2 per layer, and the embedding.
std::optional<double> params_of_shape(const ClaimBook& claims) {
  const auto layers = claims.number("layers"), hidden = claims.number("hidden");
  if (!layers || !hidden) return std::nullopt;
  const double ffn = claims.number("ffn").value_or(4 * *hidden);
  const double vocab = claims.number("vocab").value_or(0);
  const double billions = (*layers * (4 * *hidden * *hidden + 2 * *hidden * ffn) + vocab * *hidden) / 1e9;
  return billions > 0 && billions < 5000 ? std::optional(billions) : std::nullopt;
}

void settle_bits(const ClaimBook& claims, Workload& w) {
  const auto precision = claims.word("precision");
  if (const auto bits = claims.word("bits")) {
    w.bits = *bits;
  } else if (w.method == "qlora") {
    w.bits = "4";
  } else if (!w.trains()) {
    const int published = w.card != nullptr ? w.card->published_bits : 0;
    w.bits = precision == "fp32" ? "32" : published > 0 ? std::to_string(published) : "16";
  } else if (precision == "amp") {
    w.bits = "16mixed";
  } else if (precision == "fp32" || precision == "tf32") {
    w.bits = "32";
  } else if (precision == "bf16" || precision == "fp16") {
    // A frozen base is loaded in 16 bits; trained weights of small models are usually kept in 32.
    w.bits = w.method == "full" && (w.params_b < 1 || precision == "fp16") ? "16mixed" : "16";
    w.assumed.emplace_back("bits");
  } else {
    const bool frozen_base = w.method == "lora" || w.method == "dora" || w.method == "prefix";
    const bool by_cnn = w.family == Family::vision || w.family == Family::detection ||
                        w.family == Family::segmentation || w.family == Family::other;
    w.bits = frozen_base ? "16" : by_cnn && w.model.find("yolo") == std::string::npos ? "32" : "16mixed";
    w.assumed.emplace_back("bits");
  }
  if (w.method == "lora" && (w.bits == "4" || w.bits == "8")) w.method = "qlora";
}

double usual_batch(const Workload& w) {
  switch (w.family) {
    case Family::vision:
      return w.res.frames > 1 ? 6 : 32;
    case Family::encoder:
    case Family::speech:
      return w.trains() ? 8 : 1;
    case Family::detection:
      return w.model.find("yolo") != std::string::npos ? 16 : 2;
    case Family::segmentation:
      return 4;
    case Family::diffusion:
      return w.res.frames <= 1 && w.res.pixels() < 256 * 256 ? 16 : 1;
    case Family::seq2seq:
      return 4;
    case Family::language:
    case Family::vision_language:
      return !w.trains() || w.params_b > 0.5 ? 1 : 8;
    case Family::other:
      break;
  }
  return 16;
}

Resolution usual_resolution(const Workload& w, const std::string& words) {
  if (w.family == Family::diffusion) {
    if (any_in(words, {"video", "cogvideo", "t2v", "open-sora"}) ||
        any_in(w.model, {"video", "wan2", "open-sora", "ltx", "mochi"}))
      return kUsualVideo;
    // Scripts for the largest ones train adapters at 512 unless told otherwise.
    const bool small_pictures = w.params_b < 1.5 || (w.params_b > 8 && w.trains() && w.method != "full");
    return small_pictures ? Resolution{512, 512, 1} : Resolution{1024, 1024, 1};
  }
  if (w.family == Family::detection)
    return w.model.find("yolo") != std::string::npos ? Resolution{640, 640, 1} : Resolution{1333, 800, 1};
  if (w.family == Family::segmentation) return {512, 512, 1};
  const double side = w.card != nullptr ? std::max(224.0, w.card->img_size) : 224;  // some were timed smaller
  return {side, side, 1};
}

/// Several GPUs and a model that one of them cannot hold: then it is spread, whatever nobody said.
void spread_if_too_large(const ClaimBook& claims, Workload& w) {
  if (claims.has("shard") || w.gpus < 2 || !is_transformer(w.family)) return;
  const double bytes = !w.trains() || w.method != "full" ? (w.bits == "4"   ? 0.56
                                                            : w.bits == "8" ? 1.05
                                                                            : 2)
                                                         : (w.bits == "16" ? 8 : 16);
  const double whole = bytes * w.params_b;
  const double room = claims.number("vram_gib").value_or(w.trains() && w.method != "full" ? 60 : 75);
  if (whole < room) return;
  w.shard = !w.trains() ? "tp" : w.method == "full" ? "zero3" : "pp";
  w.assumed.emplace_back("shard");
}

}  // namespace

bool Workload::assumes(std::string_view setting) const {
  return std::ranges::find(assumed, setting) != assumed.end();
}

std::optional<Resolution> read_resolution(const std::string& text) {
  const std::string t = plain(text);
  if (t.find("video") != std::string::npos) return kUsualVideo;
  std::vector<double> numbers;
  for (const char* at = t.data(); at < t.data() + t.size() && numbers.size() < 4;) {
    double v = 0;
    const auto [end, bad] = std::from_chars(at, t.data() + t.size(), v, std::chars_format::fixed);
    if (bad == std::errc{} && v > 0 && v < 1e6) {
      numbers.push_back(v);
      at = end;
    } else {
      ++at;
    }
  }
  if (numbers.size() == 1) return Resolution{numbers[0], numbers[0], 1};
  if (numbers.size() == 2)  // a second number far below a picture's side counts frames
    return numbers[1] < 65 && numbers[0] >= 64 ? Resolution{numbers[0], numbers[0], numbers[1]}
                                               : Resolution{numbers[1], numbers[0], 1};
  if (numbers.size() == 3) return Resolution{numbers[2], numbers[1], numbers[0]};
  return std::nullopt;
}

std::optional<Workload> make_workload(const ClaimBook& claims, const std::string& words) {
  Workload w;
  Reader read(claims, w);
  const std::string said = plain(words);
  w.model = to_lower(claims.word("model").value_or(""));
  w.card = w.model.empty() ? nullptr : find_card(w.model);
  // What the code says of its own net holds for no other model that a better witness names.
  const auto concerns_it = [&](const char* setting) {
    return w.card == nullptr || claims.rank_of(setting) <= claims.rank_of("model");
  };
  if (concerns_it("params_b")) w.params_b = claims.number("params_b").value_or(0);
  if (w.params_b <= 0 && concerns_it("layers")) w.params_b = params_of_shape(claims).value_or(0);
  if (w.params_b <= 0 && w.card != nullptr) w.params_b = w.card->params_b;
  if (w.params_b <= 0) return std::nullopt;
  if (w.card != nullptr && w.card->family != Family::diffusion && any_in(w.model, {"ddpm", "diffusion"}))
    w.card = nullptr;  // its UNet is not the one that segments
  w.family =
      w.card != nullptr && w.card->family != Family::other ? w.card->family : kind_of(claims, w.model, said);
  if (w.family == Family::vision && any_in(said, {"r-cnn", "rcnn", "detection", "detector"}))
    w.family = Family::detection;  // the name is that of the backbone
  // A network many times larger than its namesake is another kind that borrows the name.
  if (w.card != nullptr && is_transformer(w.family) != is_transformer(w.card->family)) w.card = nullptr;
  w.active_params_b =
      claims.number("active_params_b")
          .value_or(w.card != nullptr && w.card->active_params_b < w.card->params_b ? w.card->active_params_b
                                                                                    : w.params_b);
  settle_shape(claims, w);

  w.task = read.word("task", "train");
  // Who fine-tunes a large language model and says no more nearly always means adapters.
  const bool large =
      (w.family == Family::language || w.family == Family::vision_language) && w.params_b >= 2.5;
  w.method = w.task == "pretrain" ? "full" : read.word("method", large && w.trains() ? "lora" : "full");
  settle_bits(claims, w);
  w.opt = read.word("opt", "adamw");
  w.shard = claims.word("shard").value_or("none");
  w.gpus = std::max(1, claims.integer("num_gpus").value_or(1));
  w.offload = claims.flag("offload").value_or(false);
  w.opt_in_backward = claims.flag("opt_in_backward").value_or(false);
  w.rl = claims.word("rl").value_or("");
  w.engine = to_lower(claims.word("engine").value_or(""));
  w.packed = claims.flag("packed").value_or(false);
  w.liger = claims.flag("liger").value_or(false);
  w.flash = claims.flag("flash").value_or(false);
  w.rank = claims.number("rank").value_or(8);
  w.blocks_to_swap = claims.number("blocks_to_swap").value_or(0);
  w.memory_utilization = claims.number("gpu_memory_utilization").value_or(0.9);
  w.views = claims.number("views").value_or(1);
  w.te_cached = read.flag("te_cached", w.method == "qlora");

  if (const auto res = claims.word("res")) w.res = read_resolution(*res).value_or(Resolution{});
  if (!w.res.known() && !is_transformer(w.family) && w.family != Family::speech) {
    w.res = usual_resolution(w, said);
    w.assumed.emplace_back("res");
  }
  if (const auto frames = claims.number("frames"))
    w.res.frames = *frames;
  else if (w.family == Family::diffusion && w.res.frames <= 1 &&
           any_in(said + w.model, {"video", "open-sora", "t2v"}))
    w.res.frames = kUsualVideo.frames;
  w.fwd_gflops = claims.number("fwd_gflops").value_or(0);

  w.batch = read.number("batch", usual_batch(w));
  const double usual_seq = w.family == Family::encoder   ? 256
                           : w.family == Family::speech  ? 448
                           : w.family == Family::seq2seq ? 512
                                                         : 1024;
  if (is_transformer(w.family) || w.family == Family::speech) w.seq = read.number("seq", usual_seq);
  // Nobody trains a large model on long batches without recomputing; small ones usually do.
  // Libraries switch it on for quantised weights.
  const bool heavy = w.family == Family::diffusion ? w.params_b > 1.5
                     : is_transformer(w.family)    ? (w.params_b > 4 && w.batch * w.seq >= 1500) ||
                                                      (w.method == "qlora" && w.params_b < 80)
                     : w.family == Family::speech ? w.params_b > 1 || w.method == "qlora"
                                                  : w.method == "qlora";
  w.gc = w.trains() && read.flag("gc", heavy);

  spread_if_too_large(claims, w);

  w.epochs = claims.number("epochs");
  w.samples = claims.number("samples");
  w.steps = claims.number("steps");
  w.tokens = claims.number("tokens");
  w.avg_tokens = claims.number("avg_tokens");
  w.new_tokens = claims.number("new_tokens");
  w.global_batch = claims.number("global_batch");
  w.grad_accum = claims.number("grad_accum").value_or(1);
  w.runs = claims.number("runs").value_or(1);
  return w;
}

}  // namespace vastgpu
