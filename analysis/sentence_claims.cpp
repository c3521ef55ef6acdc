#include "analysis/sentence_claims.h"

#include <cstdlib>

#include "analysis/amounts.h"
#include "analysis/pattern.h"
#include "core/text.h"

namespace vastgpu {
namespace {

/// "2,048" with "k" behind it: 2048000.
double scaled(std::string number, const std::string& unit) {
  std::erase(number, ',');
  const double value = std::atof(number.c_str());
  if (unit.empty()) return value;
  switch (unit[0]) {
    case 'k':
      return value * 1e3;
    case 'm':
      return value * 1e6;
    case 'b':
      return value * 1e9;
    case 't':
      return value * 1e12;
    default:
      return value;
  }
}

class Sentence {
 public:
  Sentence(std::string_view task, const std::string& source, int rank)
      : text_(plain(task.substr(0, 4'000))), source_(source), rank_(rank) {}

  /// The first match's number (group 1, unit in group 2) becomes the setting, unless an earlier one did.
  void number(const char* setting, const Pattern& pattern, double factor = 1) {
    if (const auto m = pattern.find(text_))
      say(setting, scaled((*m)[1], m->groups.size() > 2 ? (*m)[2] : "") * factor);
  }
  void word(const char* setting, const Pattern& pattern, json value) {
    if (pattern.in(text_)) say(setting, std::move(value));
  }
  void say(const char* setting, json value) {
    for (const Claim& c : claims_)
      if (c.setting == setting) return;
    claims_.push_back({setting, std::move(value), source_, rank_, strength::kCommand, false});
  }
  const std::string& text() const { return text_; }
  std::vector<Claim> take() && { return std::move(claims_); }

 private:
  std::string text_, source_;
  int rank_;
  std::vector<Claim> claims_;
};

void read_batch(Sentence& s) {
  static const Pattern kGlobal(
      R"(\b(?:global|total|effective)[- ]batch(?:[- _]?size)?\s*(?:of|=|:|is)?\s*([\d,]+)\s*(k)?\b)");
  static const Pattern kBatch(
      R"((?<!global )(?<!total )(?<!effective )\b(?:micro[- ]?)?batch(?:[- _]?size)?(?: of|\s*=|\s*:| is)?\s*([\d,]+)\b(?!\s*gpu))");
  static const Pattern kShort(R"(\b(?:bs|bsz|mbs|b)\s?[=:]?\s?(\d+)\b)");
  static const Pattern kPerGpu(R"(\b(\d+)\s*(?:img|imgs|images?|samples?)\s*(?:per|/)\s*gpu)");
  static const Pattern kChinese(R"((?:批大小|批次大小|批量|batch大小)\s*(?:为|是|=|:)?\s*(\d+))");
  s.number("global_batch", kGlobal);
  for (const Pattern* p : {&kBatch, &kPerGpu, &kChinese, &kShort}) s.number("batch", *p);
  static const Pattern kAccumulate(
      R"((?:accumulat\w*|grad[- _]?accum)(?: steps)?(?: of|\s*=|\s*:)?\s*(\d+))");
  s.number("grad_accum", kAccumulate);
}

void read_length(Sentence& s) {
  static const Pattern kNamed(
      R"(\b(?:seq(?:uence)?(?:[-_ ]?len(?:gth)?)?|max[-_ ]?(?:seq[-_ ]?)?len(?:gth)?|context(?:[- ]?(?:length|window))?|cut[-_ ]?off(?:[-_ ]?len)?|block[-_ ]?size|packed(?: to)?|length)\s*(?:of|=|:|is|at)?\s*([\d,]+(?:\.\d+)?)\s*(k)?\b(?!\s*(?:px|gpu|x\d)))");
  static const Pattern kTokens(R"((?<![\d.])([\d,]+(?:\.\d+)?)\s?(k)?[- ](?:tokens?|tok)\b)");
  static const Pattern kContext(
      R"((?<![\d.])([\d,]+(?:\.\d+)?)\s?(k)[- ](?:context|ctx|seq|sequence|window)\b)");
  static const Pattern kChinese(R"((?:序列长度|上下文|长度)\s*(?:为|是|=|:)?\s*([\d,]+)\s*(k)?)");
  for (const Pattern* p : {&kNamed, &kContext, &kTokens, &kChinese}) {
    const auto m = p->find(s.text());
    if (!m) continue;
    const double value = scaled((*m)[1], (*m)[2]);
    if (value < 16 || value > 2e7) continue;
    // "4k" of a context means 4096.
    s.say("seq", (*m)[2].empty() ? value : value / 1000 * ((*m)[1].size() < 3 ? 1024 : 1000));
    break;
  }
}

void read_amount(Sentence& s) {
  static const Pattern kTokens(
      R"((?<![\w.])([\d,]+(?:\.\d+)?)\s?(b|billion|m|million|t|trillion|k)\s?(?:training )?tokens?\b)");
  static const Pattern kEpochs(R"((?<![\w.])([\d,]+(?:\.\d+)?)[ -]?epochs?\b)");
  static const Pattern kEpochsChinese(R"((\d+)\s*(?:个)?\s*(?:epoch|轮))");
  static const Pattern kSteps(
      R"((?<![\w.])([\d,]+(?:\.\d+)?)\s?(k|m)?[ -]?(?:training |optimi[sz]er )?(?:steps?|iterations?|iters?|updates?)\b)");
  static const Pattern kStepsChinese(R"(([\d,]+)\s*(k)?\s*步)");
  static const Pattern kSamples(
      R"((?<![\w.])([\d,]+(?:\.\d+)?)\s?(k|m|million|thousand)?\s?(?:\w+ )?(?:samples|examples|images|pairs|prompts|instances|sentences|clips|documents|questions|rows)\b(?! per))");
  static const Pattern kSamplesChinese(R"(([\d,]+(?:\.\d+)?)\s*(k)?\s*(?:条|张图|个样本|样本))");
  static const Pattern kSeeds(R"((?<![\w.])(\d+)\s?(?:random )?(?:seeds|runs|trials)\b)");
  s.number("tokens", kTokens);
  for (const Pattern* p : {&kEpochs, &kEpochsChinese}) s.number("epochs", *p);
  for (const Pattern* p : {&kSteps, &kStepsChinese}) s.number("steps", *p);
  for (const Pattern* p : {&kSamples, &kSamplesChinese}) s.number("samples", *p);
  s.number("runs", kSeeds);
  // Schedules of detectors: 1x is 90,000 batches of 16 pictures.
  static const Pattern kSchedule(R"((?<![\w.])([1-9])x\b(?=[^.]*schedule|.{0,4}$|,))");
  static const Pattern kDetector(R"(\b(?:r-?cnn|retinanet|detectron|fcos|keypoint)\b)");
  if (const auto m = kSchedule.find(s.text()); m && kDetector.in(s.text())) {
    s.say("steps", 90'000 * std::atof((*m)[1].c_str()));
    s.say("global_batch", 16);
  }
}

void read_picture(Sentence& s) {
  static const Pattern kThree(R"((?<![\w.])(\d{1,3})\s?x\s?(\d{2,4})\s?x\s?(\d{2,4})\b)");
  static const Pattern kTwo(R"((?<![\w.])(\d{2,4})\s?x\s?(\d{2,4})\b(?!\s?gb))");
  static const Pattern kSide(R"((?<![\w.])(\d{2,4})\s?-?(?:px|pixels?|p)\b)");
  static const Pattern kNamed(
      R"(\b(?:resolution|image size|img[_ ]?size|imgsz|crop)\s*(?:of|=|:|at)?\s*(\d{2,4})\b)");
  static const Pattern kAt(R"(\b(?:at|@)\s?(\d{3,4})\s+resolution\b)");
  static const Pattern kFrames(R"((?<![\w.])(\d{1,3})\s?frames?\b)");
  if (const auto m = kThree.find(s.text())) s.say("res", (*m)[0]);
  if (const auto m = kTwo.find(s.text())) s.say("res", (*m)[0]);
  for (const Pattern* p : {&kSide, &kNamed, &kAt})
    if (const auto m = p->find(s.text())) s.say("res", (*m)[1]);
  s.number("frames", kFrames);
}

void read_gpus(Sentence& s) {
  static const Pattern kTimes(R"((?<![\w.])(\d{1,2})\s?x\s?\d{1,3}\s?gi?b\b)");  // "on 2x24GB"
  s.number("num_gpus", kTimes);
}

void read_numbers_format(Sentence& s) {
  static const Pattern kAdam8(
      R"(\b(?:8[- ]?bit|int8|paged)[- ](?:paged[- ])?(?:adamw?|optimi[sz]ers?)\b|\badamw?[- _]?8[- ]?bit\b|\b8bit[- ]adam)");
  static const Pattern kAdafactor(R"(\badafactor\b)");
  static const Pattern kSgd(R"(\bsgd\b)");
  static const Pattern kLion(R"(\blion\b)");
  static const Pattern kMuon(R"(\bmuon\b)");
  static const Pattern kGalore(R"(\bgalore\b)");
  s.word("opt", kAdam8, "adamw8bit");
  s.word("opt", kAdafactor, "adafactor");
  s.word("opt", kMuon, "muon");
  s.word("opt", kGalore, "galore");
  s.word("opt", kLion, "lion");
  s.word("opt", kSgd, "momentum");

  static const Pattern kFour(R"(\b(?:4[- ]?bits?|int4|nf4|fp4|q4\w*|w4a16|awq|gptq)\b|qlora|q-lora|4 ?比特)");
  static const Pattern kEight(
      R"(\b(?:8[- ]?bits?|int8|fp8|q8\w*|w8a8)\b(?![- ](?:paged[- ])?(?:adam|optim)))");
  static const Pattern kMixed(
      R"(\b(?:amp|mixed[- ]precision|autocast|bf16[- ]mixed|16-mixed|fp16[- ]mixed)\b|混合精度)");
  static const Pattern kPure(R"(\b(?:pure|full|true)[- ](?:bf16|bfloat16|fp16|half)\b|\bbf16-true\b)");
  static const Pattern kWide(R"(\b(?:fp32|float32|full precision|single precision)\b)");
  static const Pattern kBf16(R"(\b(?:bf16|bfloat16)\b)");
  static const Pattern kFp16(R"(\b(?:fp16|float16|half precision)\b)");
  static const Pattern kUnquantised(R"(\bunquanti[sz]ed\b)");
  if (!kUnquantised.in(s.text())) {
    // A second word about the optimizer does not quantise the weights.
    const bool adam = kAdam8.in(s.text());
    s.word("bits", kFour, "4");
    if (!adam || !Pattern(R"(^(?:(?!8[- ]?bit).)*8[- ]?bit(?:(?!8[- ]?bit).)*$)").in(s.text()))
      s.word("bits", kEight, "8");
  }
  s.word("bits", kPure, "16");
  s.word("bits", kMixed, "16mixed");
  s.word("bits", kWide, "32");
  s.word("precision", kMixed, "amp");
  s.word("precision", kBf16, "bf16");
  s.word("precision", kFp16, "fp16");
  s.word("precision", kWide, "fp32");
}

void read_memory_tricks(Sentence& s) {
  static const Pattern kNoCheckpointing(
      R"(\b(?:no|without|w/o)\s+(?:gradient |activation )?(?:checkpointing|recomput\w+)\b)");
  static const Pattern kCheckpointing(
      R"(\b(?:gradient|activation)[- ]checkpoint(?:ing|s)?\b|\brecomput\w+\b|\bwith checkpointing\b|梯度检查点|\bunsloth\b)");
  s.word("gc", kNoCheckpointing, 0);
  s.word("gc", kCheckpointing, 1);
  static const Pattern kFlash(R"(\bflash[- _]?att\w*\b|\bsdpa\b|\bxformers\b)");
  static const Pattern kPacked(R"(\bpack(?:ed|ing)\b)");
  static const Pattern kLiger(R"(\bliger\b|\bcut cross entropy\b|\bunsloth\b|\bfused (?:loss|cross))");
  static const Pattern kCached(
      R"(\bcached (?:latents|text|embeddings)\b|\bcach\w+ (?:latents|text enc\w*|embeddings))");
  s.word("flash", kFlash, 1);
  s.word("packed", kPacked, 1);
  s.word("liger", kLiger, 1);
  s.word("te_cached", kCached, 1);
  static const Pattern kZero(R"(\bzero[- ]?(?:stage[- ]?)?([123])\b)");
  static const Pattern kStage(R"(\bdeepspeed (?:stage )?([123])\b)");
  static const Pattern kFsdp(R"(\bfsdp2?\b)");
  static const Pattern kTensor(R"(\btensor[- ]parallel\w*\b|\btp\s?=?\s?\d\b)");
  for (const Pattern* p : {&kZero, &kStage})
    if (const auto m = p->find(s.text())) s.say("shard", "zero" + (*m)[1]);
  s.word("shard", kFsdp, "fsdp");
  s.word("shard", kTensor, "tp");
  static const Pattern kOffload(R"(\boff-?load\w*\b)");
  s.word("offload", kOffload, 1);
  static const Pattern kRank(R"(\b(?:rank\s?[=:]?\s?|r\s?[=:]\s?)(\d{1,4})\b)");
  s.number("rank", kRank);
}

void read_kind(Sentence& s) {
  static const Pattern kDora(R"(\bdora\b)");
  static const Pattern kQlora(R"(\bq-?lora\b)");
  static const Pattern kLora(R"(\blora\b|\bpeft\b|\badapters?\b)");
  static const Pattern kPrefix(R"(\b(?:prefix|prompt|p)[- ]tuning\b|\btextual inversion\b)");
  static const Pattern kHead(R"(\b(?:linear prob\w+|frozen backbone|head only)\b)");
  static const Pattern kFull(
      R"(\bfull[- ](?:parameter[- ])?(?:fine-?tun\w+|sft|training|tuning)\b|\bfull-parameter\b|全参|\bfft\b|\bfrom scratch\b)");
  s.word("method", kDora, "dora");
  s.word("method", kQlora, "qlora");
  s.word("method", kLora, "lora");
  s.word("method", kPrefix, "prefix");
  s.word("method", kHead, "head");
  s.word("method", kFull, "full");

  static const Pattern kPretrain(R"(\bpre-?train(?:ing)?\b(?! ?(?:model|checkpoint|weights|ed)))");
  static const Pattern kTrain(
      R"(\b(?:re-?)?train(?:ing|ed)?\b|\bfine-?tun\w+|\bsft\b|\b(?:q?-?lora|dora)\b|\bepochs?\b|训练|微调|\bdpo\b|\bgrpo\b|\bppo\b)");
  static const Pattern kInfer(
      R"(\binfer\w*\b|\bserv(?:e|ing)\b|\bgenerat(?:e|ion|ing)\b|\bchat\b|\btranscri\w+|\bdecod(?:e|ing)\b|\bevaluat\w+|\bbenchmark\w*|\bdeploy\w*|\btext-to-(?:video|image)\b|推理|部署|\bprompts?\b)");
  if (kPretrain.in(s.text()))
    s.say("task", "pretrain");
  else if (kTrain.in(s.text()))
    s.say("task", "train");
  else if (kInfer.in(s.text()))
    s.say("task", "infer");
  static const Pattern kVllm(R"(\bvllm\b)");
  static const Pattern kSglang(R"(\bsglang\b)");
  static const Pattern kLlamaCpp(R"(\bllama\.?cpp\b|\bgguf\b|\bollama\b)");
  s.word("engine", kVllm, "vllm");
  s.word("engine", kSglang, "sglang");
  s.word("engine", kLlamaCpp, "llama.cpp");
  for (const char* rl : {"dpo", "grpo", "ppo", "orpo", "kto"})
    s.word("rl", Pattern(std::string(R"(\b)") + rl + R"(\b)"), rl);
}

}  // namespace

std::vector<Claim> sentence_claims(std::string_view task, const std::string& source, int rank) {
  Sentence s(task, source, rank);
  read_kind(s);
  read_batch(s);
  read_length(s);
  read_amount(s);
  read_picture(s);
  read_gpus(s);
  read_numbers_format(s);
  read_memory_tricks(s);
  return std::move(s).take();
}

}  // namespace vastgpu
