// provision: what the task needs, three quotes with their total price. Never rents.

#include "analysis/setting.h"
#include "core/bound.h"
#include "core/text.h"
#include "fleet/checkpoint_interval.h"
#include "fleet/learn.h"
#include "fleet/quote.h"
#include "fleet/renew.h"
#include "tools/all_tools.h"
#include "tools/asking.h"
#include "tools/common.h"
#include "tools/provision_view.h"

namespace vastgpu {
namespace {

struct ProvisionArgs {
  std::string task;
  std::optional<double> hours, vram_gib, cuda, disk_gb, lease_hours, max_usd;
  std::optional<int> gpus;
  std::optional<std::string> image, project, command;
  std::optional<json> facts;
  std::optional<double> min_reliability;
  std::vector<std::string> countries;
  bool interruptible = false;
  bool offers = true;
};

/// What the person should know of the limits before choosing: which options rent would refuse as they stand.
std::vector<std::string> limit_warnings(const Deps& d, const QuoteResult& found, std::optional<Usd> budget) {
  if (!d.settings.account) return {"rent will refuse: " + d.settings.account.error().what};
  const IntentLimits limits =
      limits_for(d.settings.account->limits, d.settings.settings_file, budget, std::nullopt);
  std::vector<std::string> warnings;
  for (const auto& [key, limit] :
       {std::pair{"max_usd_per_rental", limits.account.per_rental},
        std::pair{"max_usd_per_day", limits.account.per_day}, std::pair{"max_usd_open", limits.account.open}})
    for (const QuotedOption& o : found.options)
      if (limit && o.quote.worst_case > *limit)
        warnings.push_back(
            text("rent will refuse ", o.option.title, ": at most ", at_most(o.quote.worst_case),
                 " is over the ", limits.by_default ? "default limit of " : "limit of ", money(*limit),
                 "; to allow it, the user can ", how_to_raise(limits, key, o.quote.worst_case.value)));
  return warnings;
}

/// The second number of every option: what it may cost when its lease is renewed.
void add_renewals(json& facts, const QuoteResult& found, const Result<AccountSettings>& account,
                  const ProjectSettings& settings) {
  const auto put = [&](json& option, const QuotedOption& o) {
    option["usd_renewable_to"] = renewable_to(o.quote.worst_case, account, settings);
  };
  for (std::size_t i = 0; i < found.options.size(); ++i) put(facts["options"][i], found.options[i]);
  if (found.proposal) put(facts["interruptible_proposal"], found.proposal->quoted);
}

/// "; while its experiment runs on it may be renewed up to ...", of the cheapest; empty when it is not.
std::string renewal_of(const QuoteResult& found, const Result<AccountSettings>& account,
                       const ProjectSettings& settings) {
  if (found.options.empty()) return {};
  const Usd worst = found.options.front().quote.worst_case;
  return renewal_words(worst, renewable_to(worst, account, settings), settings.max_budget);
}

/// How often the work should save on the interruptible machines among these: as facts, and as notes.
json advise_checkpoints(const Deps& d, const TaskProfile& profile, QuoteResult& found) {
  json by_gpu = json::object();
  std::vector<const QuotedOption*> bids;
  for (const QuotedOption& o : found.options)
    if (o.quote.interruptible) bids.push_back(&o);
  if (found.proposal) bids.push_back(&found.proposal->quoted);
  const Sourced cost = checkpoint_cost(std::nullopt, profile.params_b);
  for (const QuotedOption* o : bids) {
    if (by_gpu.contains(o->quote.gpu_name)) continue;
    const auto between = time_between_outbids(d, o->quote.gpu_name);
    if (!between) continue;  // advice; the quotes stand without it
    const CheckpointAdvice advice = checkpoint_advice(*between, cost);
    by_gpu[o->quote.gpu_name] = to_facts(advice);
    found.notes.push_back("on an interruptible " + o->quote.gpu_name + ", " + to_words(advice));
  }
  return by_gpu;
}

Result<Envelope> provision(Workplace& workplace, const ProvisionArgs& a, CallContext& call) {
  auto project = workplace.project(a.project);
  if (!project) return fail(std::move(project).error());
  const ProjectSettings settings = read_project_settings(*project);
  TaskRequest request{.task = a.task,
                      .hours = a.hours,
                      .vram_gib = a.vram_gib,
                      .gpus = a.gpus,
                      .disk_gb = a.disk_gb,
                      .image = a.image,
                      .cuda = a.cuda,
                      .command = a.command.value_or("")};
  if (a.facts) request.facts = *a.facts;
  if (!request.image) request.image = settings.image;
  if (const auto known = workplace.open_known())  // what earlier jobs of this project measured
    if (auto runs = past_runs(*known, *project)) request.past_runs = *std::move(runs);
  const TaskProfile profile = analyse(*project, request);

  std::optional<Usd> budget = settings.max_budget;
  if (a.max_usd && (!budget || *a.max_usd < budget->value)) budget = Usd{*a.max_usd};
  json facts{{"as_of", to_iso8601(workplace.clock().now())},
             {"project", project->string()},
             {"profile", profile},
             {"max_budget_usd", budget ? json(*budget) : json(nullptr)}};
  std::vector<std::string> warnings = profile.warnings;
  warnings.insert(warnings.end(), settings.warnings.begin(), settings.warnings.end());
  facts["warnings"] = warnings;
  if (!a.offers) {
    std::string details = evidence_table(profile);
    for (const std::string& unknown : profile.unknown) details += "- unknown: " + unknown + "\n";
    for (const std::string& warning : warnings) details += "- warning: " + warning + "\n";
    return Envelope{
        "profiled", "The task " + needs_line(profile) + ".", std::move(facts), std::move(details), {}};
  }

  auto deps = workplace.open(call.stop);
  if (!deps) return fail(std::move(deps).error());
  call.progress(0.3, "searching offers");
  QuoteRequest quoting{*project, profile, budget, a.interruptible, {}};
  if (a.lease_hours) quoting.lease = Hours(*a.lease_hours);
  if (a.min_reliability) quoting.demands.min_reliability = *a.min_reliability;
  quoting.demands.countries = a.countries;
  auto found = make_quotes(*deps, quoting, call.stop);
  if (!found) return fail(std::move(found).error());
  if (auto advice = advise_checkpoints(*deps, profile, *found); !advice.empty())
    facts["checkpoint_advice"] = std::move(advice);
  const auto limited = limit_warnings(*deps, *found, settings.max_budget);
  warnings.insert(warnings.end(), limited.begin(), limited.end());
  facts["warnings"] = warnings;
  Envelope e = show_options(*found, profile, budget, warnings, std::move(facts),
                            renewal_of(*found, deps->settings.account, settings));
  add_renewals(e.facts, *found, deps->settings.account, settings);
  if (!found->options.empty() && can_ask(call.client))
    e.next.push_back({"rent",
                      {{"project", project->string()}},
                      "lets the user choose one of these by a form, and rents what is chosen"});
  for (const QuotedOption& o : found->options)
    e.next.push_back({"rent",
                      {{"quote_id", o.quote.id}, {"project", project->string()}},
                      o.option.title + ": show the total price and ask before calling"});
  if (found->proposal)
    e.next.push_back({"rent",
                      {{"quote_id", found->proposal->quoted.quote.id}, {"project", project->string()}},
                      "interruptible: say what an interruption would cost, and ask before calling"});
  return e;
}

}  // namespace

Tool provision_tool(Workplace& workplace) {
  auto args =
      ArgList<ProvisionArgs>{}
          .optional("task", &ProvisionArgs::task, "What the user wants to train or run, in their own words")
          .optional("command", &ProvisionArgs::command,
                    "The command that will run, when known; it decides which script and configuration count",
                    {.max_length = 4'000})
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
          .optional("min_reliability", &ProvisionArgs::min_reliability,
                    "Lowest share of time that a host must have been up, 0 to 1 (default 0.95)",
                    {.minimum = 0, .maximum = 1})
          .optional("countries", &ProvisionArgs::countries,
                    "Only hosts in these countries, as two-letter codes")
          .optional("interruptible", &ProvisionArgs::interruptible,
                    "Quote interruptible machines (cheaper, paused when outbid)")
          .optional("offers", &ProvisionArgs::offers,
                    "false: only work out what the task needs; no key, no network")
          .optional("project", &ProvisionArgs::project, kProjectHelp);
  return make_tool(
      {.name = "provision",
       .title = "Find GPUs for a task",
       .description =
           "Works out what a task needs (VRAM, GPUs, hours, disk, CUDA) from CLAUDE.md, "
           "refine-logs/EXPERIMENT_PLAN.md, scripts, configurations and the user's words, searches the "
           "Vast.ai marketplace and returns up to three quotes: cheapest, best value, fastest, each with "
           "its estimated total and the most it can cost. Pass what you already know of the run as "
           "facts (model, method, batch, seq, epochs, samples...), and its command; unknown lists the one "
           "fact that would settle most. Never rents and never asks for a GPU model. Show the table "
           "with total prices to the user, let them choose, then call rent with the quote_id. Quotes "
           "expire after 10 minutes. Every number says where it comes from; guesses are marked.",
       .effect = ToolEffect::read_only},
      std::move(args),
      [&workplace](const ProvisionArgs& a, CallContext& call) { return provision(workplace, a, call); });
}

}  // namespace vastgpu
