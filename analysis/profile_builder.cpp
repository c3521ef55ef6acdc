#include "analysis/profile_builder.h"

#include <algorithm>
#include <cmath>

#include "core/text.h"

namespace vastgpu {

ProfileBuilder::ProfileBuilder(const std::filesystem::path& project, const TaskRequest& request)
    : request_(request),
      files_(project),
      said_(read_sentence(request.task)),
      plan_(read_plan(files_)),
      scripts_(read_scripts(files_, plan_.scripts)) {
  profile_.task = clean_line(request.task, 500);
  drop_nonsense(request_.hours, 0.001, 1e5, "hours");
  drop_nonsense(request_.vram_gib, 0.5, 1'000, "vram_gib");
  drop_nonsense(request_.disk_gb, 1, 100'000, "disk_gb");
  drop_nonsense(request_.cuda, 9, 99, "cuda");
  drop_nonsense(request_.gpus, 1, 64, "gpus");
  if (!plan_.source.empty()) profile_.plan = plan_;
  for (const std::string& note : plan_.notes) warn(note);
  const ProjectSettings settings = read_project_settings(project);
  settle_image(settings);
  settle_gpus();
  settle_memory();
  settle_hours();
  settle_disk();
  record_rest();
}

template <class T>
void ProfileBuilder::drop_nonsense(std::optional<T>& value, double least, double most, const char* name) {
  if (!value) return;
  const auto v = static_cast<double>(*value);
  if (std::isfinite(v) && v >= least && v <= most) return;
  profile_.warnings.push_back(std::string(name) + " makes no sense and was ignored");
  value.reset();
}

void ProfileBuilder::warn(std::string what) {
  if (std::ranges::find(profile_.warnings, what) == profile_.warnings.end())
    profile_.warnings.push_back(std::move(what));
}

void ProfileBuilder::settle_gpus() {
  std::vector<Evidence> found;
  if (request_.gpus) found.push_back(user_says("gpus", *request_.gpus));
  if (said_.gpus) found.push_back(user_says("gpus", *said_.gpus));
  if (plan_.hardware && plan_.hardware->gpus)
    found.push_back(witness("gpus", *plan_.hardware->gpus, plan_.at(plan_.hardware->line), rank::kPlan));
  if (plan_.gpus)
    found.push_back(
        witness("gpus", static_cast<int>(plan_.gpus->high), plan_.at(plan_.gpus->line), rank::kPlan));
  if (scripts_.gpus)
    found.push_back(witness("gpus", scripts_.gpus->value, scripts_.gpus->source, rank::kScript));
  const auto best = settle(std::move(found));
  gpus_known_ = best.has_value();
  gpus_ = best.value_or(witness("gpus", 1, "default", rank::kDefault, true));
  profile_.gpus = gpus_.value.get<int>();
  // The reference card: hours are for the card that whoever said them had in mind.
  if (said_.card) {
    profile_.reference_gpu = said_.card->name;
    keep(witness("reference_gpu", profile_.reference_gpu, "user", rank::kUser));
  } else if (plan_.hardware) {
    profile_.reference_gpu = plan_.hardware->card.name;
    keep(witness("reference_gpu", profile_.reference_gpu, plan_.at(plan_.hardware->line), rank::kPlan,
                 plan_.hardware->alternatives));
    if (plan_.hardware->alternatives)
      warn(plan_.at(plan_.hardware->line) +
           " names several cards: its hours were taken for the fastest, its memory from the smallest");
  } else {
    keep(witness("reference_gpu", profile_.reference_gpu, "default", rank::kDefault, true));
  }
}

void ProfileBuilder::settle_image(const ProjectSettings& settings) {
  std::optional<std::string> wanted = request_.image;
  if (wanted && !is_image_name(*wanted)) {
    warn("image is not the name of an image and was ignored");
    wanted.reset();
  }
  if (wanted)
    keep(user_says("image", *wanted));
  else if (settings.image)
    keep(witness("image", *settings.image, settings.source, rank::kUser + 1));
  else
    keep(witness("image", std::string(kDefaultImage), "default", rank::kDefault, true));
  profile_.image_is_default = !wanted && !settings.image;
  profile_.image = wanted ? *wanted : settings.image.value_or(std::string(kDefaultImage));

  const ImageNeeds image = read_image(profile_.image);
  // Nobody chose the default image, so newer cards may get a newer one, unless a pinned torch stands against
  // it.
  const bool newer_fits =
      !scripts_.torch_pin || read_image("pytorch/pytorch:" + scripts_.torch_pin->value).max_compute_cap == 0;
  if (profile_.image_is_default && newer_fits)
    profile_.newer_image = std::string(kNewerImage);
  else
    for (const std::string& w : image.warnings) warn(w);
  profile_.min_compute_cap = image.min_compute_cap;
  profile_.max_compute_cap = image.max_compute_cap;

  std::optional<double> pinned;
  if (scripts_.torch_pin) {
    pinned = cuda_of_torch(scripts_.torch_pin->value);
    if (!pinned)
      warn(scripts_.torch_pin->source + " pins torch " + scripts_.torch_pin->value +
           ": its CUDA is not known");
    const ImageNeeds wheel = read_image("pytorch/pytorch:" + scripts_.torch_pin->value);
    if (wheel.max_compute_cap > 0 &&
        (profile_.max_compute_cap == 0 || wheel.max_compute_cap < profile_.max_compute_cap)) {
      profile_.max_compute_cap = wheel.max_compute_cap;
      warn(scripts_.torch_pin->source + " pins torch " + scripts_.torch_pin->value +
           ", which cannot drive newer cards: they were left out");
    }
    profile_.min_compute_cap = std::max(profile_.min_compute_cap, wheel.min_compute_cap);
  }
  settle_cuda(image, pinned);
  if (scripts_.needs_bf16)
    need_ampere(scripts_.bf16_source, rank::kScript);
  else if (said_.precision == Precision::bf16)
    need_ampere("user", rank::kUser);
  else if (plan_.bf16_line)
    need_ampere(plan_.at(*plan_.bf16_line), rank::kPlan);
}

void ProfileBuilder::settle_cuda(const ImageNeeds& image, std::optional<double> pinned) {
  const double image_cuda = image.cuda.value_or(12.1);
  if (request_.cuda) {
    keep(user_says("cuda", *request_.cuda));
    profile_.min_cuda = *request_.cuda;
    if (image.cuda && *request_.cuda < *image.cuda)
      warn("cuda " + fixed(*request_.cuda, 1) + " was asked for, but " + profile_.image + " needs " +
           fixed(*image.cuda, 1) + ": it may not start on older drivers");
    return;
  }
  if (pinned && *pinned > image_cuda) {
    keep({"cuda",
          *pinned,
          scripts_.torch_pin->source,
          rank::kScript,
          false,
          {"image: " + fixed(image_cuda, 1)},
          1});
    profile_.min_cuda = *pinned;
    return;
  }
  keep(witness("cuda", image_cuda, image.cuda ? "image " + profile_.image : "default",
               image.cuda ? rank::kScript : rank::kDefault, !image.cuda));
  profile_.min_cuda = image_cuda;
}

void ProfileBuilder::need_ampere(const std::string& source, int of_rank) {
  profile_.min_compute_cap = std::max(profile_.min_compute_cap, 800);
  keep(witness("min_compute_cap", 800, source + " (bf16)", of_rank));
}

void ProfileBuilder::record_rest() {
  if (!scripts_.entry.empty())
    keep(witness("script", scripts_.entry, scripts_.entry_why, rank::kScript,
                 scripts_.entry_why != "named in the plan"));
  if (scripts_.batch_size)
    keep(witness("batch_size", scripts_.batch_size->value, scripts_.batch_size->source, rank::kScript));
  profile_.checkpoints = scripts_.checkpoints;
  for (const std::string& w : said_.warnings) warn(w);
  for (const std::string& w : files_.warnings) warn(w);
}

}  // namespace vastgpu
