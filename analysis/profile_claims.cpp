// Who says what about the settings, and which model decides the card.

#include <algorithm>

#include "analysis/amounts.h"
#include "analysis/dataset_counts.h"
#include "analysis/pattern.h"
#include "analysis/profile_builder.h"
#include "analysis/sentence_claims.h"
#include "core/text.h"

namespace vastgpu {
namespace {

const char* const kUser = "user";

/// Words that speak of a second model which stays in memory beside the first.
bool speaks_of_pairs(const std::string& text) {
  for (const char* word :
       {"distil", "teacher", "draft model", "speculative", "judge", "reward model", "蒸馏"})
    if (text.find(word) != std::string::npos) return true;
  return false;
}

/// Roles that lie in memory beside the model that is trained.
bool is_second_model(const std::string& role) {
  for (const char* word : {"teacher", "ref", "reward", "judge", "draft", "critic", "value", "assistant"})
    if (role.find(word) != std::string::npos) return true;
  return false;
}

std::string method_word(Method m) {
  switch (m) {
    case Method::full:
      return "full";
    case Method::lora:
      return "lora";
    case Method::qlora:
      return "qlora";
    default:
      return {};
  }
}

}  // namespace

void ProfileBuilder::collect_claims() {
  if (request_.facts.is_object()) {
    for (const auto& [name, value] : request_.facts.items())
      if (!value.is_null()) claims_.add({name, value, kUser, rank::kUser, 9, false});
  } else if (!request_.facts.is_null()) {
    warn("facts is not an object and was ignored");
  }
  if (request_.gpus) claims_.add({"num_gpus", *request_.gpus, kUser, rank::kUser, 8, false});
  claims_.add(sentence_claims(request_.task, kUser, rank::kUser));
  if (said_.gpus) claims_.add({"num_gpus", *said_.gpus, kUser, rank::kUser, 0, false});
  if (said_.card) claims_.add({"gpu", said_.card->name, kUser, rank::kUser, 0, false});
  if (said_.params_b) claims_.add({"params_b", *said_.params_b, kUser, rank::kUser, 0, false});
  claims_of_program();
  claims_of_dataset();
  static const Pattern kNoGpu(
      R"(\bcpu[- ]only\b|\bno gpus?(?: is| are)? (?:needed|required)\b|只用 ?cpu|不需要 ?gpu)");
  if (kNoGpu.in(clean_line(request_.task, 4'000)))
    warn("the task says that it runs on the CPU: it may need no GPU at all");
}

/// With epochs and a dataset that everybody knows, the amount of work is known.
void ProfileBuilder::claims_of_dataset() {
  if (!claims_.has("epochs") || claims_.has("samples") || claims_.has("steps") || claims_.has("tokens"))
    return;
  std::string named = claims_.word("dataset").value_or("");
  if (named.empty()) named = request_.task.substr(0, 4'000);
  auto known = find_counted_dataset(plain(named));
  for (const auto& d : program_.datasets)
    if (!known) known = find_counted_dataset(plain(d.value));
  if (!known) return;
  const std::string source = "size of " + std::string(known->name);
  const double epochs = claims_.number("epochs").value_or(1);
  if (known->tokens > 0)
    claims_.add({"tokens", known->tokens * epochs, source, rank::kRule, 0, false});
  else
    claims_.add({"samples", known->samples, source, rank::kRule, 0, true});
  // Transformers are fed enlarged pictures, convolutional nets the small ones.
  const bool convolutional = std::ranges::none_of(said_.models, [](const ModelMention& m) {
    return to_lower(m.name).find("vit") != std::string::npos ||
           to_lower(m.name).find("clip") != std::string::npos;
  });
  if (known->side > 0 && convolutional && !claims_.has("res"))
    claims_.add({"res", known->side, source, rank::kRule, 0, true});
  if (known->avg_tokens > 0 && !claims_.has("avg_tokens"))
    claims_.add({"avg_tokens", known->avg_tokens, source, rank::kRule, 0, true});
}

void ProfileBuilder::claims_of_program() {
  claims_.add(program_.claims);
  if (program_.trains)
    claims_.add({"task", "train", program_.script, rank::kScript, strength::kDefault, false});
  else if (!program_.script.empty() && !program_.models.empty() && !claims_.has("task"))
    claims_.add({"task", "infer", program_.script + " (nothing there trains)", rank::kScript,
                 strength::kDefault, true});
}

ClaimBook ProfileBuilder::claims_for(const ModelMention* model, const PlanModel* planned,
                                     const std::string& source, int of_rank) const {
  ClaimBook book = claims_;
  book.add({"num_gpus", profile_.gpus, gpus_.source, rank::kUser, 10, false});
  if (model != nullptr) {
    book.add({"model", model->name, source, of_rank, 10, false});
    const bool in_table = find_card(model->name) != nullptr;
    if (model->params_b && !in_table) book.add({"params_b", *model->params_b, source, of_rank, 0, false});
  }
  if (planned != nullptr) {
    const std::string method = method_word(planned->method);
    if (!method.empty()) book.add({"method", method, source, of_rank, 0, false});
    if (planned->method == Method::inference) book.add({"task", "infer", source, of_rank, 0, false});
    if (planned->precision != Precision::unknown)
      book.add({"precision", to_string(planned->precision), source, of_rank, 0, false});
  }
  // Whether it trains: with a plan yes; with a bare name of a language model it is only run.
  if (!book.has("task")) {
    const bool large = model == nullptr || model->kind == ModelKind::language;
    const bool read_in_bulk = book.number("tokens").value_or(0) >= 1e8 || book.has("steps");
    const bool trains =
        said_.training || !plan_.source.empty() || !large || request_.facts.is_object() || read_in_bulk;
    book.add({"task", trains ? "train" : "infer", "default", rank::kDefault, 0, true});
  }
  return book;
}

void ProfileBuilder::consider(const ModelMention* model, const PlanModel* planned, const std::string& source,
                              int of_rank) {
  const ClaimBook book = claims_for(model, planned, source, of_rank);
  auto work = make_workload(book, request_.task);
  if (!work) return;
  Need need;
  need.model = model != nullptr ? model->name : book.word("model").value_or("");
  need.memory = estimate_memory(*work);
  need.source = source;
  need.of_rank = of_rank;
  const bool text_model = work->family == Family::language || work->family == Family::vision_language ||
                          work->family == Family::diffusion;
  const auto spoken = [&](std::initializer_list<const char*> names) {
    return std::ranges::any_of(names, [&](const char* n) { return book.has(n); });
  };
  need.by_rule = !spoken({"batch", "seq", "res", "bits", "precision"}) ||
                 (text_model && work->task == "train" && !book.has("method"));
  need.work = *std::move(work);
  if (!need_ || need_->memory.likely < need.memory.likely) need_ = std::move(need);
}

void ProfileBuilder::find_need() {
  std::vector<ModelMention> given;
  std::string source = kUser;
  int of_rank = rank::kUser;
  if (const auto named = claims_.settle("model"); named && named->rank == rank::kUser) {
    const std::string name = named->value.get<std::string>();
    given.push_back({name, ModelKind::language, {}, 0});
    if (const auto known = model_of_id(name)) given.back() = {name, known->kind, known->params_b, 0};
  } else {
    given = said_.models;
  }
  for (const ModelMention& m : given) {
    if (!profile_.model) profile_.model = m.name;
    consider(&m, nullptr, source, of_rank);
  }
  if (!need_)
    for (const ProgramModel& m : program_.models) {
      const auto known = model_of_id(m.value);
      if (!known && find_card(m.value) == nullptr) continue;
      const ModelMention mention = known.value_or(ModelMention{m.value, ModelKind::language, {}, 0});
      if (!profile_.model) profile_.model = mention.name;
      consider(&mention, nullptr, m.source, rank::kScript);
    }
  if (!need_)
    for (const PlanModel& m : plan_.models) {
      if (!profile_.model) profile_.model = m.model.name;
      consider(&m.model, &m, plan_.at(m.line), rank::kPlan);
    }
  if (!need_) {
    const auto size = claims_.settle("params_b");
    const auto layers = claims_.settle("layers");
    const Evidence* witness_of_size = size ? &*size : layers ? &*layers : nullptr;
    if (witness_of_size != nullptr)
      consider(nullptr, nullptr, witness_of_size->source, witness_of_size->rank);
  }
  if (!need_) return;
  // Teacher and student, draft and target: the others lie beside the neediest in 16 bits.
  const auto beside = [&](const std::string& name, std::optional<double> said_size) {
    const ModelCard* card = find_card(name);
    const double params = card != nullptr ? card->params_b : said_size.value_or(0);
    if (name == need_->model || params <= 0) return;
    for (Gibibytes* g : {&need_->memory.low, &need_->memory.likely, &need_->memory.safe})
      g->value += 2 * params / 1.0737;
    need_->memory.how += ", and " + clean_line(name, 60) + " beside it";
  };
  if (need_->of_rank == rank::kUser && given.size() > 1 && speaks_of_pairs(to_lower(request_.task)))
    for (const ModelMention& m : given) beside(m.name, m.params_b);
  if (need_->of_rank == rank::kScript)
    for (const ProgramModel& m : program_.models)
      if (!m.alternative && is_second_model(m.role))
        if (const auto known = model_of_id(m.value)) beside(known->name, known->params_b);
  if (!need_->model.empty()) profile_.model = need_->model;
  profile_.params_b = need_->work.params_b;
  if (!need_->model.empty()) keep(witness("model", need_->model, need_->source, need_->of_rank));
}

bool ProfileBuilder::said_by_user(std::initializer_list<const char*> settings) const {
  return std::ranges::any_of(settings, [&](const char* name) {
    const auto e = claims_.settle(name);
    return e && e->rank == rank::kUser;
  });
}

void ProfileBuilder::record_settings() {
  for (const std::string& name : claims_.spoken_of()) {
    constexpr std::string_view kShownElsewhere[] = {"gpu",   "num_gpus", "vram_gib", "hours",     "gpu_hours",
                                                    "model", "disk_gb",  "dataset",  "dataset_gb"};
    if (std::ranges::find(kShownElsewhere, name) != std::end(kShownElsewhere)) continue;
    if (auto e = claims_.settle(name)) keep(*std::move(e));
  }
}

}  // namespace vastgpu
