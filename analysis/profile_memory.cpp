// Memory, and the GPUs that it takes.

#include <algorithm>
#include <cmath>

#include "analysis/profile_builder.h"
#include "core/text.h"

namespace vastgpu {
namespace {

constexpr double kMeasuredHeadroom = 1.2;
constexpr double kLargeCardGib = 80;     // the largest card that is for rent in numbers
constexpr double kLargestCardGib = 137;  // 97 % of the largest single card that is regularly for rent
constexpr double kUsable = 0.97;         // of a card's nominal memory

Workload spread(Workload w, int gpus) {
  w.gpus = gpus;
  if (gpus > 1 && (w.shard == "none" || w.shard == "ddp"))
    w.shard = !w.trains() ? "tp" : w.method == "full" ? "zero3" : "pp";
  return w;
}

bool can_spread(const Workload& w) {
  return w.family == Family::language || w.family == Family::vision_language || w.family == Family::seq2seq ||
         w.family == Family::diffusion;
}

}  // namespace

void ProfileBuilder::spread_over_gpus() {
  if (gpus_known_ || !can_spread(need_->work) || need_->memory.safe.value <= kLargestCardGib) return;
  int n = 2;
  MemoryEstimate spread_out = estimate_memory(spread(need_->work, n));
  for (; n < 8 && spread_out.safe.value > kLargeCardGib; spread_out = estimate_memory(spread(need_->work, n)))
    n *= 2;
  gpus_ = witness("gpus", n, "computed: " + fixed(need_->memory.safe.value, 0) + " GiB do not fit one card",
                  rank::kRule, true);
  profile_.gpus = n;
  need_->work = spread(need_->work, n);
  need_->memory = std::move(spread_out);
}

std::optional<Evidence> ProfileBuilder::computed_memory(std::optional<double> card_gib) {
  if (!need_) return std::nullopt;
  spread_over_gpus();
  // Several GPUs and a model larger than any: it is spread, whoever wrote the plan knew how.
  if (gpus_known_ && profile_.gpus > 1 && can_spread(need_->work) &&
      need_->memory.likely.value > kUsable * card_gib.value_or(kLargeCardGib)) {
    Workload w = spread(need_->work, profile_.gpus);
    if (MemoryEstimate e = estimate_memory(w); e.safe < need_->memory.safe) {
      need_->work = std::move(w);
      need_->memory = std::move(e);
    }
  }
  // Whoever wrote the plan meant it to fit the card they name: where it does, the margin ends there.
  if (plan_.hardware && !plan_.hardware->alternatives && need_->of_rank > rank::kUser) {
    const double room = plan_.hardware->vram_gib;
    if (need_->memory.likely.value * 1.05 <= kUsable * room)
      need_->memory.safe.value = std::min(need_->memory.safe.value, room);
  }
  const bool guess = need_->by_rule || !need_->memory.assumed.empty();
  return witness(
      "vram_gib", need_->memory.likely.value,
      text(need_->by_rule ? "rule of thumb: " : "computed: ",
           need_->model.empty() ? std::string("the model") : need_->model, ", ", need_->memory.how),
      need_->by_rule ? rank::kRule : rank::kScript, guess,
      need_->memory.safe.value / need_->memory.likely.value);
}

void ProfileBuilder::settle_memory() {
  std::optional<double> card;
  std::string card_source;
  if (said_.card) {
    card = said_.card->vram_gib;
    card_source = "user named " + said_.card->name;
  } else if (plan_.hardware) {
    card = plan_.hardware->vram_gib;
    card_source = plan_.at(plan_.hardware->line);
  }

  std::vector<Evidence> found;
  if (request_.vram_gib) found.push_back(user_says("vram_gib", *request_.vram_gib));
  if (auto e = claims_.settle("vram_gib")) {
    if (e->rank == rank::kMeasured) e->headroom = kMeasuredHeadroom;
    found.push_back(*std::move(e));
  }
  if (said_.vram_gib) found.push_back(user_says("vram_gib", *said_.vram_gib));
  if (plan_.measured_gib)
    found.push_back(witness("vram_gib", plan_.measured_gib->high,
                            plan_.at(plan_.measured_gib->line) + " (measured)", rank::kMeasured, false,
                            kMeasuredHeadroom));
  if (auto e = past_memory()) found.push_back(*std::move(e));
  const bool is_settled = !found.empty();
  const auto computed = computed_memory(card);
  if (computed) {
    found.push_back(*computed);
    const double gib = need_->memory.safe.value;
    if (!is_settled && card && gib * kUsable > *card + 0.5) {
      // A card that the author had is no need, but where how it runs is a guess it is the better witness.
      if (need_->by_rule && need_->of_rank > rank::kUser)
        found.push_back(witness("vram_gib", *card, card_source, rank::kNamedCard, true));
      else
        warn(text(need_->model.empty() ? std::string("the model") : need_->model, " seems to need ",
                  fixed(gib, 0), " GiB per GPU, more than the ", fixed(*card, 0), " GiB of the card in ",
                  card_source, ": the larger number was kept"));
    }
  } else if (card) {
    found.push_back(witness("vram_gib", *card, card_source, rank::kNamedCard, true));
  }
  found.push_back(witness("vram_gib", 8, "default", rank::kDefault, true));

  Evidence chosen = *settle(std::move(found));
  if (auto more = above_dead_cards(chosen)) chosen = *std::move(more);
  const double value = chosen.value.get<double>();
  profile_.vram.value = value * chosen.headroom;
  profile_.vram_likely.value = value;
  profile_.vram_low.value = value;
  if (computed && chosen.source == computed->source) {
    profile_.vram_low = need_->memory.low;
  } else if (chosen.rank == rank::kMeasured) {
    profile_.vram_low.value = value * 0.95;
  } else if (chosen.rank >= rank::kNamedCard) {
    profile_.vram_low.value = value * 0.5;
  }
  if (computed && card && chosen.rank == rank::kScript && profile_.vram.value < *card * 0.6)
    chosen.overruled.push_back(card_source + ": a card of " + fixed(*card, 0) +
                               " GiB, which is what was there");
  keep(chosen);
  if (chosen.rank == rank::kDefault)
    profile_.unknown.push_back(
        "vram_gib: name the model and how it is trained, or say how much GPU memory it needs");
  else if (computed && chosen.source == computed->source && !need_->memory.settles.empty())
    profile_.unknown.push_back(text("vram_gib: ", join(need_->memory.assumed, ", "), " assumed (",
                                    need_->memory.how, "); say ", need_->memory.settles,
                                    " to settle most of it"));
  if (profile_.vram.value > kLargeCardGib + 0.5 && chosen.rank > rank::kUser)
    warn("this needs " + fixed(profile_.vram.value, 0) + " GiB on each of " + std::to_string(profile_.gpus) +
         " GPUs: few cards are that large; say gpus to spread it, or use LoRA or 4-bit weights");
  if (need_ && need_->work.offload && need_->work.trains())  // optimizer states lie with the host
    profile_.host_ram =
        Gigabytes{std::ceil(16 * need_->work.params_b * (need_->work.method == "full" ? 1 : 0.25))};
  keep(gpus_);
  find_alternatives();
}

void ProfileBuilder::find_alternatives() {
  if (!need_) return;
  const Workload& w = need_->work;
  const auto offer = [&](std::string how, const Workload& other) {
    const MemoryEstimate e = estimate_memory(other);
    if (e.safe.value < 0.92 * profile_.vram.value)
      profile_.memory_alternatives.push_back({std::move(how), e.safe, std::max(1, other.gpus)});
  };
  if (w.trains()) {
    if (w.method == "full" && (w.opt == "adamw" || w.opt == "prodigy")) {
      Workload o = w;
      o.opt = "adamw8bit";
      offer("8-bit optimizer", o);
    }
    if (w.method == "full" && can_spread(w)) {
      Workload o = w;
      o.method = "lora";
      o.bits = "16";
      o.shard = w.shard == "zero3" ? "none" : w.shard;
      offer("LoRA instead of training all weights", o);
    }
    if ((w.method == "full" || w.method == "lora") && can_spread(w)) {
      Workload o = w;
      o.method = "qlora";
      o.bits = "4";
      offer("LoRA on 4-bit weights", o);
    }
    if (!w.gc) {
      Workload o = w;
      o.gc = true;
      offer("recomputing activations (gradient checkpointing)", o);
    }
    if (w.batch > 1) {
      Workload o = w;
      o.batch = std::max(1.0, std::floor(w.batch / 2));
      offer("batch " + fixed(o.batch, 0) + " with twice the accumulation", o);
    }
  } else if (w.bits == "16" && can_spread(w)) {
    Workload o = w;
    o.bits = "4";
    offer("4-bit weights", o);
  }
  if (can_spread(w))
    for (const int n : {2, 4, 8})
      if (n > profile_.gpus) offer("spread over " + std::to_string(n) + " GPUs", spread(w, n));
}

}  // namespace vastgpu
