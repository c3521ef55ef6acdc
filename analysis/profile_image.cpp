// The image, and which cards and drivers can run it.

#include <algorithm>

#include "analysis/profile_builder.h"
#include "core/text.h"

namespace vastgpu {

void ProfileBuilder::settle_image(const ProjectSettings& settings) {
  std::optional<std::string> wanted = request_.image;
  if (wanted && !is_image_name(*wanted)) {
    warn("image is not the name of an image and was ignored");
    wanted.reset();
  }
  // What the project builds upon, where it brings CUDA along.
  std::optional<std::string> from_docker;
  if (program_.image && is_image_name(program_.image->value))
    for (const char* word : {"pytorch", "cuda", "tensorflow", "jax", "vllm"})
      if (program_.image->value.find(word) != std::string::npos) from_docker = program_.image->value;
  if (wanted)
    keep(user_says("image", *wanted));
  else if (settings.image)
    keep(witness("image", *settings.image, settings.source, rank::kUser + 1));
  else if (from_docker)
    keep(witness("image", *from_docker, program_.image->source, rank::kScript));
  else
    keep(witness("image", std::string(kDefaultImage), "default", rank::kDefault, true));
  profile_.image_is_default = !wanted && !settings.image && !from_docker;
  profile_.image = wanted           ? *wanted
                   : settings.image ? *settings.image
                                    : from_docker.value_or(std::string(kDefaultImage));

  const ImageNeeds image = read_image(profile_.image);
  // Nobody chose the default image, so newer cards may get a newer one, unless a pinned torch stands against
  // it.
  const bool newer_fits =
      !program_.torch_pin || read_image("pytorch/pytorch:" + program_.torch_pin->value).max_compute_cap == 0;
  if (profile_.image_is_default && newer_fits)
    profile_.newer_image = std::string(kNewerImage);
  else
    for (const std::string& w : image.warnings) warn(w);
  profile_.min_compute_cap = image.min_compute_cap;
  profile_.max_compute_cap = image.max_compute_cap;

  std::optional<double> pinned;
  if (program_.torch_pin) {
    pinned = cuda_of_torch(program_.torch_pin->value);
    if (!pinned)
      warn(program_.torch_pin->source + " pins torch " + program_.torch_pin->value +
           ": its CUDA is not known");
    const ImageNeeds wheel = read_image("pytorch/pytorch:" + program_.torch_pin->value);
    if (wheel.max_compute_cap > 0 &&
        (profile_.max_compute_cap == 0 || wheel.max_compute_cap < profile_.max_compute_cap)) {
      profile_.max_compute_cap = wheel.max_compute_cap;
      warn(program_.torch_pin->source + " pins torch " + program_.torch_pin->value +
           ", which cannot drive newer cards: they were left out");
    }
    profile_.min_compute_cap = std::max(profile_.min_compute_cap, wheel.min_compute_cap);
  }
  settle_cuda(image, pinned);
  const auto precision = claims_.settle("precision");
  const auto flash = claims_.settle("flash");
  if (precision && precision->value == "fp8")
    need_capability(890, precision->source + " (fp8)", precision->rank);
  else if (program_.needs_bf16)
    need_capability(800, program_.bf16_source + " (bf16)", rank::kScript);
  else if (said_.precision == Precision::bf16)
    need_capability(800, "user (bf16)", rank::kUser);
  else if (precision && precision->value == "bf16")
    need_capability(800, precision->source + " (bf16)", precision->rank);
  else if (flash && flash->value == 1 &&
           flash->rank > rank::kUser)  // a user's word may mean any fused kernel
    need_capability(800, flash->source + " (flash attention 2)", flash->rank);
  else if (plan_.bf16_line)
    need_capability(800, plan_.at(*plan_.bf16_line) + " (bf16)", rank::kPlan);
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
          program_.torch_pin->source,
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

void ProfileBuilder::need_capability(int capability, const std::string& source, int of_rank) {
  profile_.min_compute_cap = std::max(profile_.min_compute_cap, capability);
  keep(witness("min_compute_cap", capability, source, of_rank));
}

}  // namespace vastgpu
