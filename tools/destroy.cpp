// destroy: results home, receipt, destroy, read back, cost report.

#include "core/text.h"
#include "fleet/bring_home.h"
#include "fleet/finish.h"
#include "fleet/reach.h"
#include "tools/all_tools.h"
#include "tools/common.h"
#include "tools/discard_consent.h"

namespace vastgpu {
namespace {

struct DestroyArgs {
  InstanceId instance_id;
  bool discard_results = false;
  bool confirm_discard = false;
  bool stop_running = false;
  double wait_seconds = 45;
};

Result<Envelope> destroy(Workplace& workplace, const DestroyArgs& a, CallContext& call) {
  auto deps = workplace.open(call.stop);
  if (!deps) return fail(std::move(deps).error());
  if (a.discard_results) {
    auto rental = rental_of(*deps, a.instance_id);
    if (!rental) return fail(std::move(rental).error());
    json again{{"instance_id", a.instance_id}, {"discard_results", true}};
    if (a.stop_running) again["stop_running"] = true;
    auto consent =
        consent_to_discard(*deps, {*rental}, a.confirm_discard, {"destroy", std::move(again)}, call);
    if (!consent) return fail(std::move(consent).error());
    if (consent->answer) return *std::move(consent->answer);
  }
  auto done = finish(*deps, {a.instance_id, a.discard_results, a.stop_running},
                     caller_of(call, deps->clock, a.wait_seconds));
  if (!done) return fail(std::move(done).error());
  Envelope e;
  const HomeFolders home = home_folders(done->rental);
  e.outcome = done->gone ? "destroyed" : "destroying";
  const std::string results =
      done->receipt     ? "Results are in " + home.results.string() + " (" + to_words(*done->receipt) + ")"
      : done->discarded ? std::string("Results were discarded as asked")
      : done->rental.collected ? "Results were collected at " + to_iso8601(*done->rental.collected)
      : done->rental.ready     ? std::string("It was gone before its results were brought home")
                               : std::string("It held no results");
  e.summary = text("Instance ", a.instance_id.value,
                   done->gone ? " is gone, read back from the marketplace. "
                              : " is being destroyed, but is still listed. ",
                   results, "; ", to_words(done->cost), ".");
  e.facts = rental_facts(done->rental, deps->clock.now());
  e.facts["gone"] = done->gone;
  e.facts["cost"] = to_facts(done->cost);
  e.facts["receipt"] = done->receipt ? receipt_facts(*done->receipt) : json(nullptr);
  e.facts["results_folder"] = home.results.string();
  if (!done->gone) e.next.push_back({"destroy", {{"instance_id", a.instance_id}}, "confirm that it is gone"});
  return e;
}

}  // namespace

Tool destroy_tool(Workplace& workplace) {
  auto args = ArgList<DestroyArgs>{}
                  .required("instance_id", &DestroyArgs::instance_id, kInstanceHelp, id_rules())
                  .optional("discard_results", &DestroyArgs::discard_results,
                            "true only on the user's word: destroy without bringing results home")
                  .optional("confirm_discard", &DestroyArgs::confirm_discard, kConfirmDiscardHelp)
                  .optional("stop_running", &DestroyArgs::stop_running,
                            "true: stop experiments that still run; what they wrote is collected")
                  .optional("wait_seconds", &DestroyArgs::wait_seconds, kWaitHelp, wait_rules());
  return make_tool({.name = "destroy",
                    .title = "End a rental",
                    .description = "Ends a rental for good: brings results and logs home, checks every hash, "
                                   "destroys the machine, reads back until the marketplace no longer "
                                   "lists it, and reports what it cost. Destroys nothing while an experiment "
                                   "runs or when results cannot be brought home, unless "
                                   "told by name to stop or to lose them. With discard_results the user is "
                                   "asked where the client shows forms; confirm_discard answers instead.",
                    .effect = ToolEffect::destroys},
                   std::move(args), [&workplace](const DestroyArgs& a, CallContext& call) {
                     return destroy(workplace, a, call);
                   });
}

}  // namespace vastgpu
