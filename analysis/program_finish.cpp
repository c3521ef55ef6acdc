#include "analysis/program_finish.h"

#include <algorithm>

#include "analysis/program_names.h"
#include "core/text.h"

namespace vastgpu {
namespace {

constexpr std::size_t kMaxClaims = 400;

/// The claim of a setting that counts: the strongest, the first of equals.
const Claim* strongest(const ProgramReading& r, std::string_view setting) {
  const Claim* best = nullptr;
  for (const Claim& c : r.claims)
    if (c.setting == setting && (best == nullptr || c.strength > best->strength)) best = &c;
  return best;
}

bool is_quantized(const Claim& c) { return c.setting == "bits" && (c.value == "4" || c.value == "8"); }

/// Quantized weights stay quantized, in whatever precision the rest is loaded and computed.
void settle_bits(ProgramReading& r) {
  const Claim* quantized = nullptr;
  for (const Claim& c : r.claims)
    if (is_quantized(c) && (quantized == nullptr || c.strength > quantized->strength)) quantized = &c;
  if (quantized != nullptr) {
    const Claim kept = *quantized;
    std::erase_if(r.claims, [&](const Claim& c) {
      return c.setting == "bits" && !is_quantized(c) && c.strength <= kept.strength;
    });
    for (Claim& c : r.claims)
      if (c.setting == "method" && (c.value == "lora" || c.value == "dora") &&
          c.strength <= strength::kCommand)
        c.value = "qlora";
    if (strongest(r, "method") == nullptr && r.trains)
      add_claim(r.claims, "method", "qlora", kept.source, strength::kDefault);
    return;
  }
  // Loading in 16 bits outlives autocast, which leaves the weights as they are.
  const auto loaded = std::ranges::find_if(r.claims, [](const Claim& c) {
    return c.setting == "bits" && c.value == "16" && c.strength >= strength::kCode;
  });
  if (loaded != r.claims.end()) {
    const int how = loaded->strength;
    std::erase_if(r.claims, [&](const Claim& c) {
      return c.setting == "bits" && c.value == "16mixed" && c.strength <= how;
    });
  }
  const Claim* precision = strongest(r, "precision");
  if (precision == nullptr || strongest(r, "bits") != nullptr) return;
  const bool low = precision->value == "bf16" || precision->value == "fp16" || precision->value == "amp";
  const json bits = !low ? json(32) : r.trains ? json("16mixed") : json(16);
  const Claim from = *precision;
  add_claim(r.claims, "bits", bits, from.source, from.strength);
}

void settle_task(ProgramReading& r) {
  const std::string source = r.command_at.empty() ? r.script : r.command_at;
  if (r.trains) {
    if (strongest(r, "task") == nullptr) add_claim(r.claims, "task", "train", source, strength::kDefault);
    // Of a tool whose configuration is missing nobody knows the method.
    if (strongest(r, "method") == nullptr && (r.tool.empty() || r.tool == "yolo" || !r.config.empty()))
      add_claim(r.claims, "method", "full", source, strength::kDefault);
  } else if (strongest(r, "task") == nullptr && !r.models.empty()) {
    add_claim(r.claims, "task", "infer", source, strength::kDefault);
  }
}

void settle_models(ProgramReading& r) {
  // The line and the configuration first; within the code its own order.
  std::ranges::stable_sort(r.models, [](const ProgramModel& a, const ProgramModel& b) {
    return std::max(a.strength, strength::kCode) > std::max(b.strength, strength::kCode);
  });
  if (r.models.empty()) return;
  // A launch line or configuration that names the model replaces the script's own; others keep their part.
  if (r.models.front().strength >= strength::kConfig)
    std::erase_if(r.models,
                  [](const ProgramModel& m) { return m.strength < strength::kConfig && m.role.empty(); });
  // The one that is worked on: a teacher or a reward model stands beside it.
  const auto main =
      std::ranges::find_if(r.models, [](const ProgramModel& m) { return !is_side_role(m.role); });
  if (main != r.models.end()) add_claim(r.claims, "model", main->value, main->source, main->strength);
}

}  // namespace

void finish_reading(ProgramReading& r, bool asks_card) {
  settle_models(r);
  settle_bits(r);
  settle_task(r);
  if (const Claim* p = strongest(r, "precision");
      p != nullptr && p->value == "bf16" && !asks_card && !r.needs_bf16) {
    r.needs_bf16 = true;
    r.bf16_source = p->source;
  }
  // The same value from the same place counts once.
  std::vector<Claim> kept;
  for (Claim& c : r.claims) {
    const bool again = std::ranges::any_of(kept, [&](const Claim& k) {
      return k.setting == c.setting && k.value == c.value && k.source == c.source;
    });
    if (!again && kept.size() < kMaxClaims) kept.push_back(std::move(c));
  }
  r.claims = std::move(kept);
  if (!r.datasets.empty() && strongest(r, "dataset") == nullptr)
    add_claim(r.claims, "dataset", r.datasets.front().value, r.datasets.front().source, strength::kCode);
  for (const auto& m : r.measured_gib) {
    std::vector<Claim> one;
    add_claim(one, "vram_gib", m.value, m.source + " (measured)", strength::kCode);
    for (Claim& c : one) {
      c.rank = rank::kMeasured;
      r.claims.push_back(std::move(c));
    }
  }
  std::vector<std::string> warnings;
  for (std::string& w : r.warnings)
    if (std::ranges::find(warnings, w) == warnings.end() && warnings.size() < 40)
      warnings.push_back(std::move(w));
  r.warnings = std::move(warnings);
}

}  // namespace vastgpu
