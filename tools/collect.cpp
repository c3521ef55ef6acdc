// collect: results and logs home, with a receipt. The machine stays.

#include "core/text.h"
#include "fleet/bring_home.h"
#include "fleet/reach.h"
#include "fleet/record.h"
#include "tools/all_tools.h"
#include "tools/common.h"

namespace vastgpu {
namespace {

struct CollectArgs {
  InstanceId instance_id;
  std::optional<std::vector<std::string>> paths;
  bool verify = false;
};

Result<Envelope> collect(Workplace& workplace, const CollectArgs& a, CallContext& call) {
  auto deps = workplace.open(call.stop);
  if (!deps) return fail(std::move(deps).error());
  auto rental = rental_of(*deps, a.instance_id);
  if (!rental) return fail(std::move(rental).error());
  const Caller caller = caller_of(call, deps->clock, 45);
  const auto lock = lock_rental(*deps, rental->label, caller);
  if (!lock) return fail(lock.error());
  if (auto read = refresh(*deps, *rental); !read)
    return fail(std::move(read).error());  // others worked on it meanwhile
  auto receipt = bring_home(*deps, *rental, caller,
                            {.load_test = a.verify, .paths = a.paths.value_or(std::vector<std::string>())});
  if (!receipt) return fail(std::move(receipt).error());
  const HomeFolders home = home_folders(*rental);

  Envelope e;
  e.outcome = receipt->complete ? "collected" : "incomplete";
  e.summary = text(receipt->complete ? "Results are home" : "Not everything is home", ": ",
                   to_words(*receipt), ". Results in ", home.results.string(), ", logs and the receipt in ",
                   home.logs.string(), ". The machine goes on (and bills).");
  e.facts = {{"instance_id", a.instance_id},
             {"receipt", receipt_facts(*receipt)},
             {"results_folder", home.results.string()},
             {"logs_folder", home.logs.string()},
             {"receipt_file", (home.logs / ("receipt-" + to_string(a.instance_id) + ".json")).string()}};
  for (const std::string& p : receipt->problems) e.details += "- " + clean_line(p, 300) + "\n";
  if (a.verify && receipt->checked.empty())
    e.details += "- nothing there that a load test reads (checkpoints, JSON, CSV)\n";
  if (receipt->complete)
    e.next.push_back({"destroy", {{"instance_id", a.instance_id}}, "when nothing more is to run there"});
  else
    e.next.push_back(
        {"collect", {{"instance_id", a.instance_id}}, "try again; what is home does not travel twice"});
  return e;
}

}  // namespace

Tool collect_tool(Workplace& workplace) {
  auto args =
      ArgList<CollectArgs>{}
          .required("instance_id", &CollectArgs::instance_id, kInstanceHelp, id_rules())
          .optional("paths", &CollectArgs::paths,
                    "Further results below /workspace/project, as patterns: outputs/**, runs/*/metrics.csv, "
                    "model.pt. They land under the same path in the project and are remembered: later "
                    "collections, and destroy, bring them too")
          .optional("verify", &CollectArgs::verify,
                    "true: load the newest checkpoint (weights only) and parse JSON and CSV on the machine, "
                    "at most two minutes; destroy does this by itself");
  return make_tool({.name = "collect",
                    .title = "Bring results home",
                    .description = "Brings /workspace/project/results and /workspace/*.log home into "
                                   "results/ and logs/ of the project, with a receipt: every file with "
                                   "size and SHA-256 computed on both sides. Repeatable: what is home does "
                                   "not travel again, and large files go on in the middle. Files with "
                                   "temporary names, and files that are still written, are left for later "
                                   "and named. The machine stays.",
                    .effect = ToolEffect::writes_files},
                   std::move(args), [&workplace](const CollectArgs& a, CallContext& call) {
                     return collect(workplace, a, call);
                   });
}

}  // namespace vastgpu
