#include "fleet/learn.h"

#include "core/log.h"
#include "core/text.h"

namespace vastgpu {
namespace {

/// Of one GPU: measured, else as it was quoted for this card.
std::optional<Megabytes> gpu_ram_of(Ledger& ledger, const Rental& rental, const MemorySeen& memory) {
  if (!memory.gpus.empty()) return memory.gpus.front().total;
  const auto quote = ledger.quote(rental.quote_id);
  if (quote && *quote && (*quote)->gpu_name == rental.gpu_name && (*quote)->gpu_ram > Megabytes{})
    return (*quote)->gpu_ram;
  return std::nullopt;
}

PastRun past_run(Ledger& ledger, TimePoint now, const Rental& rental, const Job& job, const JobEnd& end) {
  PastRun run;
  run.label = rental.label;
  run.experiment = job.experiment;
  run.project = rental.project;
  run.command = job.command;
  run.script = script_of(job.command);
  run.instance = rental.instance;
  run.gpu_name = rental.gpu_name;
  const int used = gpus_used(end.memory);
  run.num_gpus = used > 0 ? used : rental.num_gpus;
  run.gpu_ram = gpu_ram_of(ledger, rental, end.memory);
  run.started = job.started;
  run.recorded = now;
  run.hours = end.ran;
  run.ended = end.ran ? job.started + std::chrono::duration_cast<Duration>(*end.ran) : run.recorded;
  run.exit_code = job.exit_code.value_or(-1);
  run.oom = run.exit_code != 0 && end.out_of_memory;
  if (const GpuMemory* most = fullest(end.memory)) {
    run.peak_vram = most->own();
    run.held_before = most->held_before;
  }
  run.rate = end.progress.rate;
  run.rate_unit = end.progress.rate_unit;
  run.steps_done = end.progress.steps_done;
  run.steps_total = end.progress.steps_total;
  return run;
}

}  // namespace

Result<std::vector<PastRun>> past_runs(const Deps& d, const std::filesystem::path& project) {
  return d.ledger.runs(project.string(), kMostPastRuns);
}

std::string script_of(const std::string& command) {
  std::string module, shell;
  std::string previous;
  std::string words = command;
  for (char& c : words)
    if (c == ';' || c == '&' || c == '|' || c == '\t' || c == '(' || c == ')') c = ' ';
  for (const std::string& word : split(words, ' ')) {
    if (word.empty()) continue;
    if (word.ends_with(".py")) return clean_line(word, 200);
    if (previous == "-m" && module.empty() && !word.starts_with("torch.distributed")) module = word;
    if (word.ends_with(".sh") && shell.empty()) shell = word;
    previous = word;
  }
  return clean_line(module.empty() ? shell : module, 200);
}

void learn(Ledger& ledger, TimePoint now, const Rental& rental, const Job& job, const JobEnd& end) {
  const PastRun run = past_run(ledger, now, rental, job, end);
  const auto written = ledger.add_run(run);
  if (!written)
    log_fact("learn label=", run.label, " experiment=", run.experiment, " failed: ", written.error().what);
  else if (*written)
    log_fact("learned label=", run.label, " experiment=", run.experiment, " exit=", run.exit_code,
             " peak_vram_mib=", run.peak_vram ? fixed(run.peak_vram->value, 0) : "unknown");
}

}  // namespace vastgpu
