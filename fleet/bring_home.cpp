#include "fleet/bring_home.h"

#include "core/files.h"
#include "core/log.h"
#include "fleet/guard.h"
#include "fleet/reach.h"

namespace vastgpu {

HomeFolders home_folders(const Rental& rental) {
  const std::filesystem::path project(rental.project);
  return {project / "results", project / "logs"};
}

Result<Receipt> bring_home(const Deps& d, Rental& rental, const Caller& caller) {
  auto shell = reach(d, rental, caller.stop);
  if (!shell) return fail(std::move(shell).error());
  return bring_home(d, rental, **shell, caller);
}

Result<Receipt> bring_home(const Deps& d, Rental& rental, Shell& shell, const Caller& caller) {
  const HomeFolders home = home_folders(rental);
  const std::vector<CollectSource> sources{
      {std::string(kRemoteProject) + "/results", {}, true, home.results},
      {"/workspace", {"*.log", "*.log.[0-9]*"}, false, home.logs},
  };
  auto receipt = shell.collect(sources, caller.progress, caller.stop);
  if (!receipt) return fail(std::move(receipt).error().during("collecting results"));

  json document = *receipt;
  document["instance_id"] = rental.instance ? json(*rental.instance) : json(nullptr);
  document["label"] = rental.label;
  document["collected_at"] = to_iso8601(d.clock.now());
  if (auto stored = d.ledger.add_receipt(rental.label, d.clock.now(), document); !stored) return fail(std::move(stored).error());
  if (rental.instance) {
    const auto at = home.logs / ("receipt-" + to_string(*rental.instance) + ".json");
    if (auto written = replace_file(at, document.dump(2, ' ', false, json::error_handler_t::replace) + "\n"); !written)
      return fail(std::move(written).error().during("writing the receipt"));
  }
  if (receipt->complete) {
    rental.collected = d.clock.now();
    if (auto written = d.ledger.update_rental(rental); !written) return fail(std::move(written).error());
  }
  log_fact("collected label=", rental.label, " files=", receipt->files.size(), " complete=", receipt->complete);
  return receipt;
}

}  // namespace vastgpu
