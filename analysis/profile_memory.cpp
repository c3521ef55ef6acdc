// Memory, GPUs that it takes, and disk.

#include "analysis/profile_builder.h"

#include <algorithm>
#include <cmath>

#include "core/text.h"

namespace vastgpu {
namespace {
constexpr double kVramHeadroom = 1.2;
constexpr double kLargeCardGib = 80;  // the largest card that is for rent in numbers
}  // namespace

void ProfileBuilder::consider(std::optional<Need>& best, const ModelMention& model, Method own,
                              Precision precision, const std::string& source, int of_rank) {
  Method method = said_.method != Method::unknown ? said_.method : own;
  if (method == Method::unknown && scripts_.method) method = scripts_.method->value;
  if (precision == Precision::unknown) precision = said_.precision;
  if (precision == Precision::unknown && scripts_.precision) precision = scripts_.precision->value;
  const bool trains = said_.training || scripts_.trains || !plan_.source.empty();
  const bool assumed =
      method == Method::unknown && (model.kind == ModelKind::language || model.kind == ModelKind::diffusion);
  if (assumed && !trains) method = Method::inference;
  auto rule = memory_of(model, method, precision);
  if (!rule) return;
  rule->method_assumed = assumed || (rule->method_assumed && method != Method::unknown);
  if (!best || best->rule.total_gib < rule->total_gib)
    best = Need{model, std::move(*rule), method, source, of_rank};
}

std::optional<ProfileBuilder::Need> ProfileBuilder::neediest() {
  std::optional<Need> need;
  const auto note = [&](const ModelMention& model) {
    if (!profile_.model) profile_.model = model.name;
  };
  for (const ModelMention& m : said_.models) {
    note(m);
    consider(need, m, Method::unknown, Precision::unknown, "user", rank::kUser);
  }
  if (!need)
    for (const auto& m : scripts_.models) {
      note(m.value);
      consider(need, m.value, Method::unknown, Precision::unknown, m.source, rank::kScript);
    }
  if (!need)
    for (const PlanModel& m : plan_.models) {
      note(m.model);
      consider(need, m.model, m.method, m.precision, plan_.at(m.line), rank::kPlan);
    }
  if (need) {
    profile_.model = need->model.name;
    profile_.params_b = need->model.params_b;
    keep(witness("model", need->model.name, need->source, need->of_rank));
  }
  return need;
}

double ProfileBuilder::per_gpu(const MemoryRule& rule, std::optional<double> card_gib) {
  const double whole = rule.total_gib * kVramHeadroom;
  const double room = card_gib.value_or(kLargeCardGib);
  if (!rule.can_split) return whole;
  if (gpus_known_) {
    const double share = share_of(whole, profile_.gpus);
    return whole > room && (share <= room || whole > kLargeCardGib) ? std::min(whole, share) : whole;
  }
  if (whole <= kLargeCardGib) return whole;
  int n = 2;
  while (n < 8 && share_of(whole, n) > kLargeCardGib) n *= 2;
  profile_.gpus = n;
  gpus_ =
      witness("gpus", n, "rule of thumb: " + fixed(whole, 0) + " GiB do not fit one card", rank::kRule, true);
  return share_of(whole, n);
}

void ProfileBuilder::settle_memory() {
  const auto need = neediest();
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
  if (said_.vram_gib) found.push_back(user_says("vram_gib", *said_.vram_gib));
  if (plan_.measured_gib)
    found.push_back(witness("vram_gib", plan_.measured_gib->high,
                            plan_.at(plan_.measured_gib->line) + " (measured)", rank::kMeasured, false,
                            kVramHeadroom));
  const bool is_settled = !found.empty();
  if (need) {
    const double gib = is_settled ? need->rule.total_gib * kVramHeadroom : per_gpu(need->rule, card);
    found.push_back(witness("vram_gib", gib / kVramHeadroom,
                            "rule of thumb: " + need->model.name + ", " + need->rule.how, rank::kRule, true,
                            kVramHeadroom));
    if (!is_settled && card && gib > *card + 0.5) {
      // A card that the author had is no need, but where our method is a guess it is the better witness.
      if (need->rule.method_assumed || !need->rule.can_split)
        found.push_back(witness("vram_gib", *card, card_source, rank::kNamedCard, true));
      else
        warn(need->model.name + " seems to need " + fixed(gib, 0) + " GiB per GPU, more than the " +
             fixed(*card, 0) + " GiB of the card in " + card_source + ": the larger number was kept");
    }
  } else if (card) {
    found.push_back(witness("vram_gib", *card, card_source, rank::kNamedCard, true));
  }
  found.push_back(witness("vram_gib", 8, "default", rank::kDefault, true));

  const Evidence& chosen = keep(*settle(std::move(found)));
  profile_.vram.value = chosen.value.get<double>() * chosen.headroom;
  if (chosen.rank == rank::kDefault)
    profile_.unknown.push_back(
        "vram_gib: name the model and how it is trained, or say how much GPU memory it needs");
  else if (chosen.rank == rank::kRule && need->rule.method_assumed)
    profile_.unknown.push_back(text(
        "method: ", to_string(need->method == Method::unknown ? Method::full : need->method), " of ",
        need->model.name, " was assumed; say LoRA, QLoRA, full training or inference, and the precision"));
  if (profile_.vram.value > kLargeCardGib + 0.5 && chosen.rank > rank::kUser)
    warn("this needs " + fixed(profile_.vram.value, 0) + " GiB on each of " + std::to_string(profile_.gpus) +
         " GPUs: few cards are that large; say gpus to spread it, or use LoRA or 4-bit weights");
  keep(gpus_);
  method_ = need ? need->method : said_.method;
}

void ProfileBuilder::settle_disk() {
  std::vector<Evidence> found;
  if (request_.disk_gb) found.push_back(user_says("disk_gb", *request_.disk_gb));
  if (said_.disk_gb) found.push_back(user_says("disk_gb", *said_.disk_gb));

  double gb = 20;  // image and packages
  std::string why = "20 GB base";
  int best_rank = rank::kRule;
  if (profile_.params_b && *profile_.params_b >= 0.1) {
    const double weights = 2.2 * *profile_.params_b;  // 16-bit, and a tenth for what comes with them
    gb += weights;
    why += " + " + fixed(weights, 0) + " GB weights";
    // With optimizer states; two of them, since the old goes after the new is written. One where training
    // is a guess.
    const double saved = (method_ == Method::full      ? 28
                          : method_ == Method::unknown ? 14
                                                       : 0) *
                         *profile_.params_b;
    if (saved >= 1) {
      gb += saved;
      why += " + " + fixed(saved, 0) + " GB checkpoints";
    }
  }
  const auto add_data = [&](double size, const std::string& source, int data_rank) {
    gb += size;
    why += " + " + fixed(size, 0) + " GB data (" + source + ")";
    best_rank = data_rank;
  };
  if (said_.dataset_gb)
    add_data(*said_.dataset_gb, "user", rank::kUser + 1);
  else if (plan_.data_gb)
    add_data(plan_.data_gb->high, plan_.at(plan_.data_gb->line), rank::kPlan);
  else if (const auto known = known_dataset())
    add_data(known->disk_gb, std::string(known->name), rank::kRule);
  gb = std::ceil(gb);
  if (gb > 50 && gb < 100'000) found.push_back(witness("disk_gb", gb, why, best_rank, true));
  if (gb >= 100'000) warn("the data would need " + fixed(gb, 0) + " GB of disk: that number was ignored");
  found.push_back(witness("disk_gb", 50, "default", rank::kDefault, true));
  const Evidence& chosen = keep(*settle(std::move(found)));
  profile_.disk.value = chosen.value.get<double>();
  if (profile_.disk.value > 500)
    warn("a disk of " + fixed(profile_.disk.value, 0) + " GB is billed even while the machine is stopped");
}

std::optional<KnownDataset> ProfileBuilder::known_dataset() const {
  for (const auto& name :
       {said_.dataset, scripts_.dataset ? std::optional(scripts_.dataset->value) : std::nullopt,
        plan_.dataset})
    if (name) return find_dataset(*name);
  return std::nullopt;
}

}  // namespace vastgpu
