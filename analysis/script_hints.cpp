#include "analysis/script_hints.h"

#include "analysis/amounts.h"
#include "analysis/datasets.h"

namespace vastgpu {

ScriptHints hints_of(const ProgramReading& r) {
  ScriptHints h;
  h.entry = r.script;
  h.entry_why = r.script_why;
  for (const ProgramModel& m : r.models)
    if (auto model = model_of_id(m.value)) h.models.push_back({std::move(*model), m.source});
  const auto strongest = [&](std::string_view setting) {
    const Claim* best = nullptr;
    for (const Claim& c : r.claims)
      if (c.setting == setting && (best == nullptr || c.strength > best->strength)) best = &c;
    return best;
  };
  if (const Claim* c = strongest("method")) {
    if (c->value == "lora" || c->value == "dora" || c->value == "prefix")
      h.method = Found<Method>{Method::lora, c->source};
    else if (c->value == "qlora")
      h.method = Found<Method>{Method::qlora, c->source};
    else if (c->value == "full" && c->strength >= strength::kConfig)
      h.method = Found<Method>{Method::full, c->source};
  }
  if (!h.method && !r.trains && !h.models.empty()) h.method = Found<Method>{Method::inference, r.script};
  if (const Claim* c = strongest("precision")) {
    if (c->value == "bf16")
      h.precision = Found<Precision>{Precision::bf16, c->source};
    else if (c->value == "fp16" || c->value == "amp")
      h.precision = Found<Precision>{Precision::fp16, c->source};
  }
  h.needs_bf16 = r.needs_bf16;
  h.bf16_source = r.bf16_source;
  const auto whole = [&](std::string_view setting) -> std::optional<Found<int>> {
    const Claim* c = strongest(setting);
    if (c == nullptr || !c->value.is_number_integer() || c->value.get<std::int64_t>() > 1'000'000)
      return std::nullopt;
    return Found<int>{c->value.get<int>(), c->source};
  };
  h.gpus = whole("num_gpus");
  h.batch_size = whole("batch");
  h.torch_pin = r.torch_pin;
  for (const auto& d : r.datasets)
    if (const auto known = find_dataset(plain(d.value)); known && !h.dataset)
      h.dataset = Found<std::string>{std::string(known->name), d.source};
  h.trains = r.trains;
  h.checkpoints = r.saves;
  return h;
}

ScriptHints read_scripts(ProjectFiles& files, const std::vector<std::string>& planned) {
  const ProgramReading reading = read_program(files, {.planned = planned});
  for (const std::string& w : reading.warnings) files.warn(w);
  return hints_of(reading);
}

}  // namespace vastgpu
