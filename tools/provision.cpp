// provision: what the task needs, three quotes with their total price. Never rents.

#include "analysis/setting.h"
#include "core/text.h"
#include "fleet/learn.h"
#include "fleet/quote.h"
#include "tools/all_tools.h"
#include "tools/common.h"

namespace vastgpu {
namespace {

struct ProvisionArgs {
  std::string task;
  std::optional<double> hours, vram_gib, cuda, disk_gb, lease_hours, max_usd;
  std::optional<int> gpus;
  std::optional<std::string> image, project;
  std::optional<json> facts;
  bool interruptible = false;
  bool offers = true;
};

std::string hours_cell(const std::optional<Hours>& h) { return h ? "~" + hours(*h) : "unknown"; }

std::string options_table(const std::vector<QuotedOption>& options) {
  std::vector<std::vector<std::string>> rows;
  int n = 0;
  for (const QuotedOption& o : options) {
    const Offer& offer = o.option.chosen.offer;
    rows.push_back(
        {std::to_string(++n), o.option.title,
         (offer.num_gpus > 1 ? std::to_string(offer.num_gpus) + " x " : "") + offer.gpu_name,
         fixed(to_gibibytes(offer.gpu_ram).value, 0) + " GB", money(offer.price), hours_cell(o.quote.work),
         (o.quote.work ? "" : "for the lease ") + money(o.quote.estimate), money(o.quote.worst_case),
         fixed(offer.reliability * 100, 1) + " %", to_string(offer.id), o.quote.id});
  }
  return table({"#", "option", "GPU", "VRAM", "price", "est. hours", "est. total", "at most", "reliability",
                "offer", "quote_id"},
               rows);
}

std::string needs_line(const TaskProfile& p) {
  return text("needs ", p.gpus, p.gpus == 1 ? " GPU" : " GPUs", " with ", fixed(p.vram.value, 1),
              " GB each, ",
              p.hours ? "about " + hours(*p.hours) + " on " + p.reference_gpu : std::string("hours unknown"),
              ", ", fixed(p.disk.value, 0), " GB disk, CUDA ", fixed(p.min_cuda, 1), ", image ", p.image);
}

std::string evidence_table(const TaskProfile& p) {
  std::vector<std::vector<std::string>> rows;
  for (const Evidence& e : p.evidence)
    rows.push_back({e.quantity, e.value.is_string() ? e.value.get<std::string>() : dump(e.value), e.source,
                    e.guess ? "guess" : "", join(e.overruled, "; ")});
  return table({"quantity", "value", "from", "", "overruled"}, rows);
}

Envelope nothing_fits(const QuoteResult& found, const TaskProfile& profile, const std::optional<Usd>& budget,
                      json facts) {
  std::string why;
  if (found.cheapest_over_budget && budget)
    why = "the cheapest that fits would cost up to " + money(*found.cheapest_over_budget) +
          ", the budget is " + money(*budget) + " (" + money(*found.cheapest_over_budget - *budget) +
          " short)";
  else if (found.offers_seen == 0)
    why = "the marketplace lists no machine with these needs right now";
  else
    why = "all " + std::to_string(found.offers_seen) + " offers were dropped";
  std::vector<std::string> reasons;
  for (const auto& [reason, n] : found.dropped) reasons.push_back(text(reason, ": ", n));
  Envelope e{"nothing_fits",
             "No machine fits: " + why + ". The task " + needs_line(profile) + ".",
             std::move(facts),
             {},
             {}};
  e.details = reasons.empty() ? "" : "Dropped offers by reason: " + join(reasons, ", ");
  e.details +=
      "\nWhat could help: less VRAM (8-bit optimizer, LoRA, gradient checkpointing), more GPUs, a higher "
      "budget, or asking again later.";
  return e;
}

Result<Envelope> provision(Workplace& workplace, const ProvisionArgs& a, CallContext& call) {
  auto project = workplace.project(a.project);
  if (!project) return fail(std::move(project).error());
  const ProjectSettings settings = read_project_settings(*project);
  TaskRequest request{a.task, a.hours, a.vram_gib, a.gpus, a.disk_gb, a.image, a.cuda, {}, {}};
  if (a.facts) request.facts = *a.facts;
  if (!request.image) request.image = settings.image;
  if (const auto known = workplace.open_known())  // what earlier jobs of this project measured
    if (auto runs = past_runs(*known, *project)) request.past_runs = *std::move(runs);
  const TaskProfile profile = analyse(*project, request);

  std::optional<Usd> budget = settings.max_budget;
  if (a.max_usd && (!budget || *a.max_usd < budget->value)) budget = Usd{*a.max_usd};
  json facts{{"project", project->string()},
             {"profile", profile},
             {"max_budget_usd", budget ? json(*budget) : json(nullptr)}};
  std::vector<std::string> warnings = profile.warnings;
  warnings.insert(warnings.end(), settings.warnings.begin(), settings.warnings.end());
  facts["warnings"] = warnings;
  if (!a.offers)
    return Envelope{
        "profiled", "The task " + needs_line(profile) + ".", std::move(facts), evidence_table(profile), {}};

  auto deps = workplace.open(call.stop);
  if (!deps) return fail(std::move(deps).error());
  call.progress(0.3, "searching offers");
  QuoteRequest quoting{*project, profile, budget, a.interruptible, {}};
  if (a.lease_hours) quoting.lease = Hours(*a.lease_hours);
  auto found = make_quotes(*deps, quoting, call.stop);
  if (!found) return fail(std::move(found).error());
  facts["offers_seen"] = found->offers_seen;
  facts["options"] = json::array();
  for (const QuotedOption& o : found->options) facts["options"].push_back(to_facts(o));
  if (found->options.empty()) return nothing_fits(*found, profile, budget, std::move(facts));

  Envelope e;
  e.outcome = "options";
  const QuotedOption& first = found->options.front();
  e.summary = text("The task ", needs_line(profile), ". ", found->options.size(),
                   found->options.size() == 1 ? " option" : " options", ", the cheapest a ",
                   first.option.chosen.offer.gpu_name, " for ~", money(first.quote.estimate), " (at most ",
                   money(first.quote.worst_case), "). Nothing was rented.");
  e.details = options_table(found->options) + "\n";
  for (const QuotedOption& o : found->options) {
    e.details += "- " + o.option.title + ": " + o.option.wrong_when;
    for (const std::string& flag : o.option.chosen.flags) e.details += "; " + flag;
    if (o.quote.interruptible) e.details += "; bid " + money(o.quote.price);
    e.details += "; lease " + hours(o.quote.lease) + ", after it the disk alone costs " +
                 money(o.quote.disk_per_day) + " a day until destroyed\n";
  }
  if (profile.hours && *profile.hours < Hours(1) && !a.interruptible)
    e.details +=
        "- under an hour of work: interruptible machines may be cheaper still (interruptible true)\n";
  if (profile.hours && *profile.hours > Hours(4) && profile.checkpoints && !a.interruptible)
    e.details +=
        "- more than four hours with checkpoints: interruptible machines may be much cheaper (interruptible "
        "true)\n";
  e.details += "\nWhere the numbers come from:\n" + evidence_table(profile);
  for (const std::string& unknown : profile.unknown) e.details += "- unknown: " + unknown + "\n";
  for (const std::string& warning : warnings) e.details += "- warning: " + warning + "\n";
  e.facts = std::move(facts);
  for (const QuotedOption& o : found->options)
    e.next.push_back({"rent",
                      {{"quote_id", o.quote.id}, {"project", project->string()}},
                      o.option.title + ": show the total price and ask before calling"});
  return e;
}

}  // namespace

Tool provision_tool(Workplace& workplace) {
  auto args =
      ArgList<ProvisionArgs>{}
          .optional("task", &ProvisionArgs::task, "What the user wants to train or run, in their own words")
          .optional("facts", &ProvisionArgs::facts, "What is already known of the task",
                    {.schema = facts_schema()})
          .optional("hours", &ProvisionArgs::hours, "Wall-clock hours, when the user knows them",
                    {.minimum = 0, .maximum = 10'000})
          .optional("vram_gib", &ProvisionArgs::vram_gib, "VRAM needed per GPU in GiB, when known",
                    {.minimum = 0, .maximum = 2'000})
          .optional("gpus", &ProvisionArgs::gpus, "Number of GPUs on one machine, when known",
                    {.minimum = 1, .maximum = 64})
          .optional("disk_gb", &ProvisionArgs::disk_gb,
                    "Disk to rent in GB (default 50); cannot be changed later",
                    {.minimum = 8, .maximum = 20'000})
          .optional("image", &ProvisionArgs::image,
                    "Docker image; default from CLAUDE.md, else pytorch 2.1 with CUDA 12.1",
                    {.max_length = 1024})
          .optional("cuda", &ProvisionArgs::cuda, "Lowest CUDA version the driver must support, e.g. 12.4",
                    {.minimum = 8, .maximum = 20})
          .optional("lease_hours", &ProvisionArgs::lease_hours,
                    "Hours until the machine ends by itself; default from the work",
                    {.minimum = 0.25, .maximum = 720})
          .optional("max_usd", &ProvisionArgs::max_usd,
                    "Hard limit in US dollars on the worst case of this rental",
                    {.minimum = 0, .maximum = 1e6})
          .optional("interruptible", &ProvisionArgs::interruptible,
                    "Quote interruptible machines (cheaper, paused when outbid)")
          .optional("offers", &ProvisionArgs::offers,
                    "false: only work out what the task needs; no key, no network")
          .optional("project", &ProvisionArgs::project, kProjectHelp);
  return make_tool({.name = "provision",
                    .title = "Find GPUs for a task",
                    .description = "Works out what a task needs (VRAM, GPUs, hours, disk, CUDA) from "
                                   "CLAUDE.md, refine-logs/EXPERIMENT_PLAN.md, scripts and "
                                   "the user's words, searches the Vast.ai marketplace and returns up to "
                                   "three quotes: cheapest, best value, fastest, each "
                                   "with its estimated total and the most it can cost. Never rents and never "
                                   "asks for a GPU model. Show the table with total "
                                   "prices to the user, let them choose, then call rent with the quote_id. "
                                   "Quotes expire after 10 minutes. Every number says "
                                   "where it comes from; guesses are marked.",
                    .effect = ToolEffect::read_only},
                   std::move(args), [&workplace](const ProvisionArgs& a, CallContext& call) {
                     return provision(workplace, a, call);
                   });
}

}  // namespace vastgpu
