#include "analysis/claim.h"

#include <algorithm>
#include <cmath>

#include "core/text.h"

namespace vastgpu {
namespace {
constexpr std::size_t kMaxClaims = 40;  // of one setting: more witnesses make nothing clearer
constexpr std::size_t kMaxWarnings = 20;

/// Whether `a` counts for less than `b`.
bool weaker(const Claim& a, const Claim& b) {
  return a.rank != b.rank ? a.rank > b.rank : a.strength < b.strength;
}
}  // namespace

void ClaimBook::add(Claim claim) {
  const auto warn = [&](std::string what) {
    if (warnings.size() < kMaxWarnings && std::ranges::find(warnings, what) == warnings.end())
      warnings.push_back(std::move(what));
  };
  const Setting* setting = find_setting(claim.setting);
  if (setting == nullptr) {
    if (warnings.size() >= kMaxWarnings) return;  // and the nearest name costs time
    const std::string nearest = nearest_setting(claim.setting);
    return warn(claim.source + ": " + clean_line(claim.setting, 40) + " is no known setting and was ignored" +
                (nearest.empty() ? "" : "; did you mean " + nearest + "?"));
  }
  auto value = canonical_value(*setting, claim.value);
  if (!value) return warn(claim.source + ": " + value.error().what + "; ignored");
  claim.setting = setting->name;
  claim.value = *std::move(value);
  std::vector<Claim>& known = claims_[claim.setting];
  if (known.size() < kMaxClaims) {
    known.push_back(std::move(claim));
  } else if (const auto weakest = std::ranges::min_element(known, weaker); weaker(*weakest, claim)) {
    known.erase(weakest);  // a late word of the user must not be lost behind a crowd of scripts
    known.push_back(std::move(claim));
  }
}

void ClaimBook::add(std::vector<Claim> claims) {
  for (Claim& c : claims) add(std::move(c));
}

const Claim* ClaimBook::best(std::string_view setting) const {
  const auto found = claims_.find(setting);
  if (found == claims_.end()) return nullptr;
  const Claim* best = nullptr;
  for (const Claim& c : found->second)
    if (best == nullptr || weaker(*best, c)) best = &c;
  return best;
}

std::optional<Evidence> ClaimBook::settle(std::string_view setting) const {
  const Claim* chosen = best(setting);
  if (chosen == nullptr) return std::nullopt;
  Evidence e = witness(chosen->setting, chosen->value, chosen->source, chosen->rank, chosen->guess);
  for (const Claim& c : claims_.find(setting)->second)
    if (&c != chosen && c.value != chosen->value && c.rank < rank::kDefault)
      e.overruled.push_back(c.source + ": " + shown(witness(c.setting, c.value, {}, c.rank)));
  return e;
}

std::optional<double> ClaimBook::number(std::string_view setting) const {
  const Claim* c = best(setting);
  return c != nullptr && c->value.is_number() ? std::optional(c->value.get<double>()) : std::nullopt;
}
std::optional<int> ClaimBook::integer(std::string_view setting) const {
  const auto v = number(setting);
  return v && *v <= 2e9 ? std::optional(static_cast<int>(std::lround(*v))) : std::nullopt;
}
std::optional<bool> ClaimBook::flag(std::string_view setting) const {
  const auto v = number(setting);
  return v ? std::optional(*v != 0) : std::nullopt;
}
std::optional<std::string> ClaimBook::word(std::string_view setting) const {
  const Claim* c = best(setting);
  if (c == nullptr) return std::nullopt;
  return c->value.is_string() ? c->value.get<std::string>() : dump(c->value);
}

int ClaimBook::rank_of(std::string_view setting) const {
  const Claim* c = best(setting);
  return c != nullptr ? c->rank : rank::kDefault + 1;
}

std::vector<std::string> ClaimBook::spoken_of() const {
  std::vector<std::string> names;
  for (const auto& [name, claims] : claims_) names.push_back(name);
  return names;
}

}  // namespace vastgpu
