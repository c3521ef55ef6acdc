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
      program_(read_program(files_, {request.command, plan_.scripts})) {
  profile_.task = clean_line(request.task, 500);
  drop_nonsense(request_.hours, 0.001, 1e5, "hours");
  drop_nonsense(request_.vram_gib, 0.5, 1'000, "vram_gib");
  drop_nonsense(request_.disk_gb, 1, 100'000, "disk_gb");
  drop_nonsense(request_.cuda, 9, 99, "cuda");
  drop_nonsense(request_.gpus, 1, 64, "gpus");
  if (!plan_.source.empty()) profile_.plan = plan_;
  for (const std::string& note : plan_.notes) warn(note);
  const ProjectSettings settings = read_project_settings(project);
  collect_claims();
  settle_gpus();
  find_need();
  settle_image(settings);
  settle_memory();
  settle_hours();
  settle_disk();
  record_settings();
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
  if (auto e = claims_.settle("num_gpus"); e && e->rank == rank::kUser) {
    e->quantity = "gpus";
    found.push_back(*std::move(e));
  }
  if (plan_.hardware && plan_.hardware->gpus)
    found.push_back(witness("gpus", *plan_.hardware->gpus, plan_.at(plan_.hardware->line), rank::kPlan));
  if (plan_.gpus)
    found.push_back(
        witness("gpus", static_cast<int>(plan_.gpus->high), plan_.at(plan_.gpus->line), rank::kPlan));
  if (auto e = claims_.settle("num_gpus"); e && e->rank != rank::kUser) {
    e->quantity = "gpus";
    found.push_back(*std::move(e));
  }
  const auto best = settle(std::move(found));
  gpus_known_ = best.has_value();
  gpus_ = best.value_or(witness("gpus", 1, "default", rank::kDefault, true));
  profile_.gpus = std::clamp(gpus_.value.get<int>(), 1, 64);
  // Runs that take fewer GPUs each need no common machine.
  profile_.one_machine =
      profile_.gpus > 1 && !(plan_.gpus_per_run && plan_.gpus_per_run->high < profile_.gpus);
  // The reference card: hours are for the card that whoever said them had in mind.
  const auto named = claims_.settle("gpu");
  const GpuModel* card = named ? card_named(named->value.get<std::string>()) : nullptr;
  if (named && card == nullptr)
    warn(named->source + ": the card " + named->value.get<std::string>() +
         " is not known; hours are given for " + profile_.reference_gpu);
  if (card != nullptr) {
    profile_.reference_gpu = card->name;
    keep(witness("reference_gpu", profile_.reference_gpu, named->source, named->rank));
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

void ProfileBuilder::record_rest() {
  const auto runs = [&](const char* quantity, const std::string& what, const std::string& why) {
    if (!what.empty())
      keep(witness(quantity, clean_line(what, 300), why, rank::kScript,
                   why.find("newest") != std::string::npos));
  };
  runs("command", program_.command, program_.command_at);
  runs("script", program_.script, program_.script_why);
  runs("config", program_.config, program_.config_why);
  if (program_.time_limit)
    keep(witness("time_limit", program_.time_limit->value,
                 program_.time_limit->source + " (a limit, no estimate)", rank::kScript));
  for (const auto& s : program_.scales) {
    profile_.scales_with_card = false;
    keep(witness("scales_with_card", s.value, s.source, rank::kScript));
  }
  profile_.checkpoints = program_.checkpoints();
  if (program_.saves && !program_.resumes)
    profile_.unknown.push_back(
        "checkpoints: the program saves, but nothing shows that it resumes; an interruption may start it "
        "over");
  for (const std::string& w : program_.warnings) warn(w);
  for (const std::string& w : said_.warnings) warn(w);
  for (const std::string& w : claims_.warnings) warn(w);
  for (const std::string& w : files_.warnings) warn(w);
}

}  // namespace vastgpu
