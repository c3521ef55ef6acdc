// Disk, and what crosses the wire.

#include <algorithm>
#include <cmath>

#include "analysis/amounts.h"
#include "analysis/profile_builder.h"
#include "core/text.h"

namespace vastgpu {
namespace {
constexpr double kBase = 20;          // image and packages, unpacked
constexpr double kServerBase = 30;    // vLLM and its kin bring a CUDA of their own
constexpr double kImageDownload = 8;  // a devel image, compressed
constexpr double kLongRunKeeps = 2;   // the old checkpoint goes after the new one is written
}  // namespace

void ProfileBuilder::settle_disk() {
  std::vector<Evidence> found;
  if (request_.disk_gb) found.push_back(user_says("disk_gb", *request_.disk_gb));
  if (auto e = claims_.settle("disk_gb")) found.push_back(*std::move(e));
  if (said_.disk_gb) found.push_back(user_says("disk_gb", *said_.disk_gb));

  const bool server = need_ && (need_->work.engine == "vllm" || need_->work.engine == "sglang");
  double gb = server ? kServerBase : kBase;
  std::string why = fixed(gb, 0) + " GB base";
  double down = kImageDownload, up = 1;
  int best_rank = rank::kRule;
  if (need_ && need_->work.params_b >= 0.1) {
    const Workload& w = need_->work;
    const double published =
        w.card != nullptr && w.card->checkpoint_gb > 0 ? w.card->checkpoint_gb : 2 * w.params_b;
    const bool from_scratch = w.task == "pretrain";
    const double weights = from_scratch ? 0 : 1.1 * published;
    if (weights >= 1) {
      gb += weights;
      down += weights;
      why += " + " + fixed(weights, 0) + " GB weights";
    }
    // With optimizer states, as many as are kept; half of it where training itself is a guess.
    const double kept = claims_.number("save_total_limit").value_or(kLongRunKeeps);
    const double likely = w.assumes("method") && !claims_.has("method") ? 0.5 : 1;
    const double saved = checkpoint_size(w).value * kept * likely;
    if (saved >= 1) {
      gb += saved;
      why += " + " + fixed(saved, 0) + " GB checkpoints";
    }
    if (w.trains()) up += w.method == "full" ? 2 * w.params_b : 0.3;
    if (saved > 500)
      warn("each full checkpoint takes about " + fixed(checkpoint_size(w).value, 0) +
           " GB: save weights only, or seldom");
  }
  const auto add_data = [&](double size, const std::string& source, int data_rank) {
    gb += size;
    down += size / 2;  // packed
    why += " + " + fixed(size, 0) + " GB data (" + source + ")";
    best_rank = data_rank;
  };
  if (const auto data = claims_.settle("dataset_gb"))
    add_data(data->value.get<double>(), data->source,
             data->rank == rank::kUser ? rank::kUser + 1 : data->rank);
  else if (said_.dataset_gb)
    add_data(*said_.dataset_gb, "user", rank::kUser + 1);
  else if (program_.data_gb)
    add_data(program_.data_gb->value, program_.data_gb->source, rank::kScript);
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
  profile_.download.value = std::clamp(down, 10.0, profile_.disk.value + 10);
  profile_.upload.value = std::clamp(up, 2.0, profile_.disk.value);
  if (profile_.disk.value > 500)
    warn("a disk of " + fixed(profile_.disk.value, 0) + " GB is billed even while the machine is stopped");
}

std::optional<KnownDataset> ProfileBuilder::known_dataset() const {
  std::vector<std::string> names;
  for (const auto& name : {claims_.word("dataset"), said_.dataset})
    if (name) names.push_back(*name);
  for (const auto& d : program_.datasets) names.push_back(d.value);
  if (plan_.dataset) names.push_back(*plan_.dataset);
  for (const std::string& name : names)
    if (const auto known = find_dataset(plain(name))) return known;
  return std::nullopt;
}

}  // namespace vastgpu
