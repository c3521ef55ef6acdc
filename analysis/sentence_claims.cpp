#include "analysis/sentence_claims.h"

#include <cstdlib>
#include <utility>

#include "analysis/amounts.h"
#include "analysis/pattern.h"
#include "core/text.h"

namespace vastgpu {
namespace {

/// "2,048" with "k" behind it: 2048000; "3" with "万": 30000.
double scaled(std::string number, const std::string& unit) {
  std::erase(number, ',');
  const double value = std::atof(number.c_str());
  for (const auto& [name, factor] : {std::pair("百万", 1e6), std::pair("万", 1e4), std::pair("亿", 1e8),
                                     std::pair("千", 1e3), std::pair("k", 1e3), std::pair("thousand", 1e3),
                                     std::pair("m", 1e6), std::pair("b", 1e9), std::pair("t", 1e12)})
    if (unit.starts_with(name) && (unit != "thousand" || factor == 1e3)) return value * factor;
  return value;
}

/// Whether what stands at `at` is denied: "no", "without", "instead of", "不用"; one word may stand between.
bool denied(std::string_view text, std::size_t at) {
  static const Pattern kDenial(
      R"((?:\b(?:no|not|without|w/o|instead of|rather than|disable[sd]?|never|don't)\s+(?:(?:a|any|the|use|using|with|\w+ing)\s+)?|(?:不用|不使用|没有|无|关闭|不做|不要)\s*)$)");
  const std::size_t from = at > 40 ? at - 40 : 0;
  return kDenial.in(text.substr(from, at - from));
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
    if (says(pattern)) say(setting, std::move(value));
  }
  /// Whether it is said, and at least once without being denied.
  bool says(const Pattern& pattern) const {
    for (const Pattern::Match& m : pattern.find_all(text_))
      if (!denied(text_, m.at)) return true;
    return false;
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
      R"(\b(?:global|total|effective)[- _]batch(?:[- _]?size)?\s*(?:of|=|:|is)?\s*([\d,]+)\s*(k)?\b)");
  static const Pattern kBatch(
      R"((?<!global )(?<!total )(?<!effective )(?<!global-)(?<!total-)(?<!effective-)\b(?:micro[- ]?)?batch(?:es)?(?:[- _]?size)?(?: (?:per|on each|for each) (?:gpu|device|card))?(?: of|\s*=|\s*:| is)?\s*([\d,]+)\b(?!\s*(?:gpu|norm|[x*]\s*\d|%)))");
  static const Pattern kShort(R"(\b(?:bs|bsz|mbs)\s?[=:]?\s?(\d+)\b|\bb\s?=\s?(\d+)\b)");
  static const Pattern kPerGpu(R"(\b(\d+)\s*(?:img|imgs|images?|samples?)\s*(?:per|/)\s*gpu)");
  static const Pattern kChinese(
      R"((?:批大小|批次大小|批量大小|批量|batch大小)\s*(?:设为|为|是|=|:)?\s*(\d+))");
  s.number("global_batch", kGlobal);
  for (const Pattern* p : {&kBatch, &kPerGpu, &kChinese}) s.number("batch", *p);
  if (const auto m = kShort.find(s.text())) s.say("batch", std::atof(((*m)[1] + (*m)[2]).c_str()));
  static const Pattern kAccumulate(
      R"((?:accumulat\w*|grad[- _]?accum|梯度累积)(?:[- _]steps)?(?: of|\s*=|\s*:| over)?\s*(\d+)\b)");
  s.number("grad_accum", kAccumulate);
}

/// "4k" of a context means 4096, "10k" ten thousand.
double context_of(const std::string& number, const std::string& unit) {
  const double value = scaled(number, unit);
  if (unit.empty()) return value;
  const double counted = value / (unit == "m" ? 1e6 : 1e3);
  for (const double power : {1, 2, 4, 8, 16, 32, 64, 128, 256, 512})
    if (counted == power) return counted * (unit == "m" ? 1'048'576 : 1024);
  return value;
}

void read_length(Sentence& s) {
  static const Pattern kNamed(
      R"(\b(?:seq(?:uence)?s?(?:[-_ ]?len(?:gth)?)?|max[-_ ]?(?:seq[-_ ]?|model[-_ ]?)?len(?:gth)?|context(?:[- ]?(?:length|window))?|cut[-_ ]?off(?:[-_ ]?len)?|block[-_ ]?size|packed(?: to)?|length)\s*(?:of|=|:|is|at|up to)?\s*([\d,]+(?:\.\d+)?)\s*(k|m)?\b(?!\s*(?:px|gpu|x\s?\d|s\b|sec|min|frames?|hours?|bp|docs?|documents?)))");
  // A vocabulary, a speed and what is generated are no length of a sample.
  static const Pattern kTokens(
      R"((?<![\d.,\w])([\d,]+(?:\.\d+)?)\s?(k)?[- ](?:tokens?|tok)\b(?!\s*(?:/|per s|a second|vocab|in the vocab|of vocab)))");
  static const Pattern kContext(
      R"((?<![\d.,\w])([\d,]+(?:\.\d+)?)\s?(k|m)?[- ](?:tokens? )?(?:context|ctx|seq|sequences?|window)\b)");
  static const Pattern kChinese(
      R"((?:序列长度|最大长度|上下文长度|上下文|长度)\s*(?:设为|为|是|=|:)?\s*([\d,]+)\s*(k)?)");
  for (const Pattern* p : {&kNamed, &kContext, &kTokens, &kChinese})
    for (const Pattern::Match& m : p->find_all(s.text())) {
      const double value = context_of(m[1], m[2]);
      const std::string_view before = std::string_view(s.text()).substr(0, m.at);
      static const Pattern kOther(
          R"((?:vocab\w*(?: size)?(?: of)?|(?:avg|average|mean)\w*(?: of| length| len)?|(?:answers|responses|completions) of|generat\w+(?: up to)?|new|output|(?:train\w*|corpus) (?:on|of|over))\s*$)");
      if (value < 16 || value > 2e7 || kOther.in(before.substr(before.size() > 40 ? before.size() - 40 : 0)))
        continue;
      s.say("seq", value);
      break;
    }
  static const Pattern kNew(
      R"((?:\bgenerat\w+(?: up to)?|\b(?:answers|responses|completions) of) ([\d,]+)[- ]tokens?\b|([\d,]+) (?:new|output|generated) tokens?\b|\bmax[-_ ]new[-_ ]tokens\s*(?:of|=|:)?\s*([\d,]+))");
  static const Pattern kMean(
      R"(\b(?:avg\.?|average|mean)(?: (?:of|length|len))* ([\d,]+)[- ]tokens?\b|([\d,]+) tokens (?:on average|each on average))");
  if (const auto m = kMean.find(s.text())) s.say("avg_tokens", scaled((*m)[1] + (*m)[2], ""));
  if (const auto m = kNew.find(s.text())) s.say("new_tokens", scaled((*m)[1] + (*m)[2] + (*m)[3], ""));
}

void read_amount(Sentence& s) {
  static const Pattern kTokens(
      R"((?<![\w.])([\d,]+(?:\.\d+)?)\s?(b|billion|m|million|t|trillion)\s?(?:training )?tokens?\b(?! (?:context|window)))");
  static const Pattern kThousandTokens(
      R"((?:\btrain\w*|\bcorpus) (?:on|of|over) ([\d,]+(?:\.\d+)?)\s?(k)?\s?tokens?\b|([\d,]+(?:\.\d+)?)\s?(k) training tokens?\b)");
  static const Pattern kTokensChinese(R"((\d+(?:\.\d+)?)\s*(百万|万|亿|b)\s*(?:个)?\s*(?:token|词元))");
  static const Pattern kEpochs(R"((?<![\w.])([\d,]+(?:\.\d+)?)[ -]?(?:training )?epochs?\b)");
  static const Pattern kEpochsNamed(R"(\bepochs?\s?(?:=|:|of)\s?([\d,]+(?:\.\d+)?)\b)");
  static const Pattern kEpochsChinese(R"((\d+)\s*(?:个)?\s*(?:epoch|轮))");
  static const Pattern kSteps(
      R"((?<![\w.])([\d,]+(?:\.\d+)?)\s?(k|m)?(?: |(?<=[\dk])-)?(?:training |optimi[sz]er |gradient |env(?:ironment)? )?(?:steps|iterations|iters|updates|timesteps)\b(?! ?(?:/|per |ahead|of denois|of sampl)))");
  static const Pattern kStepsNamed(
      R"(\b(?:max[-_ ]?)?(?:steps|iters|iterations)\s?[=:]\s?([\d,]+(?:\.\d+)?)\s?(k|m)?\b)");
  static const Pattern kOneStep(
      R"((?<![\w.])([\d,]+(?:\.\d+)?)\s?(k|m)?[- ](?:training )?step (?:run|training|schedule))");
  static const Pattern kStepsChinese(R"(([\d,]+)\s*(k|万)?\s*步)");
  static const Pattern kSamples(
      R"((?<![\w.])(?<!batch of )(?<!batches of )(?<!batch size )(?<!x )([\d,]+(?:\.\d+)?)\s?(k|m|million|thousand)?(?:\s(?:(?!px\b|pixels?\b|p\b|gi?b\b|tb\b|hours?\b|min\b|gpus?\b|x\b|resolution\b|class(?:es)?\b|per\b|frames?\b|tokens?\b|steps?\b|epochs?\b|of\b|and\b|in\b|on\b)[\w&/'-]+ ){0,2}|[\s-]?)(?:samples|examples|images|pictures|pics|photos|screenshots|pairs|prompts|sentences|clips|utterances|documents|questions|problems|rows|records|logs|conversations|dialogues|chats|messages|reviews|tweets|emails|articles|videos|scans|instructions|answers|responses|completions|queries|requests|molecules|proteins)\b(?! (?:per|each|an?) |/))");
  static const Pattern kInstances(
      R"((?<![\w.])([\d,]+(?:\.\d+)?)\s?(k|m|million|thousand)\s?(?:training )?instances\b)");
  static const Pattern kSamplesChinese(
      R"(([\d,]+(?:\.\d+)?)\s*(k|百万|万|千|亿)?\s*(?:条|张(?!卡|显卡|gpu|\s*(?:rtx|a\d|h\d|v100|4090|3090))(?:图|照片)?|个样本|样本|对(?:话|数据)?|段))");
  static const Pattern kSeeds(R"((?<![\w.])(\d+)\s?(?:random |different )?(?:seeds|runs|trials)\b)");
  static const Pattern kSeedsChinese(R"((\d+)\s*个?\s*(?:随机)?种子)");
  s.number("tokens", kTokens);
  s.number("tokens", kTokensChinese);
  if (const auto m = kThousandTokens.find(s.text()))
    s.say("tokens", (*m)[1].empty() ? scaled((*m)[3], (*m)[4]) : scaled((*m)[1], (*m)[2]));
  for (const Pattern* p : {&kEpochs, &kEpochsNamed, &kEpochsChinese}) s.number("epochs", *p);
  for (const Pattern* p : {&kSteps, &kStepsNamed, &kOneStep, &kStepsChinese}) s.number("steps", *p);
  for (const Pattern* p : {&kSamples, &kInstances, &kSamplesChinese}) s.number("samples", *p);
  for (const Pattern* p : {&kSeeds, &kSeedsChinese}) s.number("runs", *p);
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
  static const Pattern kTwo(
      R"((?<![\w.])(\d{2,4})\s?x\s?(\d{2,4})\b(?!\s?(?:gi?b|tokens?|patch|kernel|grid|latent|conv|filter|window)))");
  static const Pattern kSide(R"((?<![\w.])(?:(\d{2,4})\s?-?(?:px|pixels?)|(\d{3,4})p)\b)");
  static const Pattern kNamed(
      R"(\b(?:resolution|image size|img[_ ]?size|imgsz|crops?)\s*(?:of|=|:|at)?\s*(\d{2,4})\b)");
  static const Pattern kAt(R"(\b(?:at|@)\s?(\d{3,4})\s+resolution\b|(?<![\w.])(\d{3,4})\s?\^\s?2(?!\d))");
  static const Pattern kChinese(R"((?:分辨率|图像尺寸|尺寸)\s*(?:设为|为|是|=|:)?\s*(\d{2,4}))");
  static const Pattern kFrames(R"((?<![\w.])(\d{1,3})[ -]?frames?\b(?!\s*(?:/|per|a second)))");
  if (const auto m = kThree.find(s.text())) {
    const double first = std::atof((*m)[1].c_str());  // 3x224x224 are the channels of one picture
    s.say("res", first == 3 || first == 1 ? (*m)[2] + "x" + (*m)[3] : (*m)[0]);
  }
  // "16x 3090" counts cards: no picture is that narrow.
  for (const Pattern::Match& m : kTwo.find_all(s.text())) {
    const double a = std::atof(m[1].c_str()), b = std::atof(m[2].c_str());
    if (a > 0 && b > 0 && a / b < 8 && b / a < 8) s.say("res", m[0]);
  }
  if (const auto m = kSide.find(s.text())) s.say("res", (*m)[1] + (*m)[2]);
  for (const Pattern* p : {&kNamed, &kChinese})
    if (const auto m = p->find(s.text())) s.say("res", (*m)[1]);
  if (const auto m = kAt.find(s.text())) s.say("res", (*m)[1] + (*m)[2]);
  s.number("frames", kFrames);
}

void read_gpus(Sentence& s) {
  static const Pattern kTimes(R"((?<![\w.])(\d{1,2})\s?x\s?\d{1,3}\s?gi?b\b)");  // "on 2x24GB"
  s.number("num_gpus", kTimes);
}

void read_numbers_format(Sentence& s) {
  static const Pattern kAdam8(
      R"(\b(?:8[- ]?bit|int8)[- ](?:paged[- ])?(?:adamw?|optimi[sz]ers?)\b|\bpaged[- ]adamw?\b(?![- _]?32)|\badamw?[- _]?8[- ]?bit\b|\b8bit[- ]adam|8 ?位(?:的)?\s?(?:adam|优化器))");
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

  static const Pattern kFour(R"(\b(?:4[- ]?bits?|int4|nf4|fp4|q4\w*|w4a16)\b|4 ?(?:比特|位))");
  static const Pattern kEight(
      R"((?<!adam )(?<!adamw )(?<!adam-)(?<!adamw-)\b(?:8[- ]?bits?|int8|fp8|q8\w*|w8a8)\b(?![- ](?:paged[- ])?(?:adam|optim))|8 ?(?:比特|位)(?!的?\s?(?:adam|优化器)))");
  static const Pattern kUsuallyFour(R"(\b(?:awq|gptq)\b|\bq-?lora\b)");  // unless another width is said
  static const Pattern kMixed(
      R"(\b(?:amp|mixed[- ]precision|autocast|bf16[- ]mixed|16-mixed|fp16[- ]mixed)\b|混合精度)");
  static const Pattern kPure(R"(\b(?:pure|full|true)[- ](?:bf16|bfloat16|fp16|half)\b|\bbf16-true\b)");
  static const Pattern kWide(R"(\b(?:fp32|float32|full precision|single precision)\b(?! master)|单精度)");
  static const Pattern kBf16(R"(\b(?:bf16|bfloat16)\b)");
  static const Pattern kFp16(R"(\b(?:fp16|float16|half[- ]precision)\b|半精度)");
  static const Pattern kUnquantised(R"(\bunquanti[sz]ed\b)");
  if (!kUnquantised.in(s.text())) {
    s.word("bits", kFour, "4");
    s.word("bits", kEight, "8");
    s.word("bits", kUsuallyFour, "4");
  }
  s.word("bits", kPure, "16");
  static const Pattern kMaster(R"(\bfp32 master)");
  for (const Pattern* p : {&kMixed, &kMaster}) s.word("bits", *p, "16mixed");
  s.word("bits", kWide, "32");
  s.word("precision", kMixed, "amp");
  s.word("precision", kBf16, "bf16");
  s.word("precision", kFp16, "fp16");
  s.word("precision", kWide, "fp32");
}

void read_memory_tricks(Sentence& s) {
  static const Pattern kNoCheckpointing(
      R"(\b(?:no|without|w/o|disable[sd]?)\s+(?:gradient |activation )?(?:checkpointing|recomput\w+)\b)");
  static const Pattern kCheckpointing(
      R"(\b(?:gradient|activation)[- ]checkpoint(?:ing|s)?\b|\brecomput\w+\b|\bwith checkpointing\b|(?:梯度|激活)检查点|重计算|\bunsloth\b)");
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
  static const Pattern kZero(R"(\bzero[- ]?(?:stage[- ]?)?([123])\b(?! ?shot))");
  static const Pattern kStage(R"(\bdeepspeed (?:stage )?([123])\b)");
  static const Pattern kFsdp(R"(\bfsdp2?\b)");
  static const Pattern kTensor(R"(\btensor[- ]parallel\w*\b|\btp\s?=?\s?\d\b)");
  for (const Pattern* p : {&kZero, &kStage})
    if (const auto m = p->find(s.text())) s.say("shard", "zero" + (*m)[1]);
  s.word("shard", kFsdp, "fsdp");
  s.word("shard", kTensor, "tp");
  static const Pattern kOffload(R"(\boff-?load\w*\b|卸载到)");
  s.word("offload", kOffload, 1);
  static const Pattern kRank(R"(\b(?:rank(?: of)?[- ]?[=:]?\s?|r\s?[=:]\s?|lora[- _]r\s?)(\d{1,4})\b)");
  s.number("rank", kRank);
}

void read_kind(Sentence& s) {
  static const Pattern kDora(R"(\bdora\b)");
  static const Pattern kQlora(R"(\bq-?lora\b)");
  static const Pattern kLora(R"(\blora\b|\bpeft\b|\badapters?\b)");
  static const Pattern kPrefix(R"(\b(?:prefix|prompt|p)[- ]tuning\b|\btextual inversion\b)");
  static const Pattern kHead(R"(\b(?:linear prob\w+|frozen backbone|head only)\b)");
  static const Pattern kFull(
      R"(\bfull[- ](?:parameter[- ])?(?:fine-?tun\w+|sft|training|tuning)\b|\bfull[- ]parameters?\b|全参|全量(?:参数)?(?:微调|训练)|\bfft\b|\bfrom scratch\b)");
  s.word("method", kDora, "dora");
  s.word("method", kQlora, "qlora");
  s.word("method", kLora, "lora");
  s.word("method", kPrefix, "prefix");
  s.word("method", kHead, "head");
  s.word("method", kFull, "full");

  // What will be done outweighs what was done ("serve my fine-tuned Llama"), a request to run outweighs an
  // adapter's name, and an adapter outweighs words that any task may hold.
  static const Pattern kPretrain(
      R"(\bpre-?train(?:ing)?\b(?! ?(?:model|checkpoint|weights|ed))|预训练(?!的|模型|权重|好|过))");
  static const Pattern kTrain(
      R"((?<!pre)(?<!pre-)(?<!pre )\b(?:re-?)?train(?:ing|s)?\b(?! (?:data|set|split|images|samples)\b)|\bfine-?tun(?:e|es|ing)\b|\bsft\b|\bdistill?(?:ation|ing)\b|\bepochs?\b|\bdreambooth\b|(?<!预)训练(?!好|过|集)|微调(?!好|过|后)|\bdpo\b|\bgrpo\b|\bppo\b|\borpo\b|\bkto\b)");
  static const Pattern kRun(
      R"(\binfer\w*\b|\bserv(?:e|es|ing)\b|\btranscri\w+|\bdecod(?:e|ing)\b|\bdeploy\w*|推理|部署)");
  static const Pattern kAdapted(
      R"(\b(?:q?-?lora|dora)\b|(?<!pre-)(?<!pre )\btrained (?:on|for|with|from)\b|\bfine-?tuned (?:on|for|with)\b)");
  static const Pattern kMayRun(
      R"(\bgenerat(?:e|es|ion|ing)\b|\bchat\b(?! (?:logs?|data|messages|history|templates?))|\bevaluat\w+|\bbenchmark\w*|\b(?:get|compute|extract)\w* (?:embeddings|features)\b|\bembed\b|\btext-to-(?:video|image)\b|\bprompts?\b|生成|评测)");
  static const Pattern kTrained(R"(\b(?:re-?)?trained\b|\bfine-?tuned\b)");
  const auto task = [&](const Pattern& said, const char* value) { s.word("task", said, value); };
  task(kPretrain, "pretrain");
  task(kTrain, "train");
  task(kRun, "infer");
  task(kAdapted, "train");
  task(kMayRun, "infer");
  task(kTrained, "train");
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
