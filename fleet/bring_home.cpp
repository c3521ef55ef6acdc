#include "fleet/bring_home.h"

#include "core/files.h"
#include "core/log.h"
#include "fleet/guard.h"
#include "fleet/jobs.h"
#include "fleet/reach.h"
#include "fleet/record.h"
#include "fleet/result_paths.h"

namespace vastgpu {

HomeFolders home_folders(const Rental& rental) {
  const std::filesystem::path project(rental.project);
  return {project / "results", project / "logs"};
}

Result<Receipt> bring_home(const Deps& d, Rental& rental, const Caller& caller, const BringOptions& options) {
  auto shell = reach(d, rental, caller.stop);
  if (!shell) return fail(std::move(shell).error());
  // Jobs that ended meanwhile are learned from; results come home whether that works or not.
  (void)look_at(d, rental, **shell, 0, caller.stop);
  return bring_home(d, rental, **shell, caller, options);
}

Result<Receipt> bring_home(const Deps& d, Rental& rental, Shell& shell, const Caller& caller,
                           const BringOptions& options) {
  std::vector<std::string> asked;
  for (const std::string& given : options.paths) {
    auto path = result_path(given);
    if (!path) return fail(std::move(path).error());
    asked.push_back(*std::move(path));
  }
  // Before anything is fetched: destroy has to know of them even if this call dies now.
  if (auto noted = remember_paths(d, rental, asked); !noted) return fail(std::move(noted).error());
  auto paths = remembered_paths(d, rental);
  if (!paths) return fail(std::move(paths).error());
  const HomeFolders home = home_folders(rental);
  std::vector<CollectSource> sources(2);
  sources[0].remote_folder = std::string(kRemoteProject) + "/results";
  sources[0].local_folder = home.results;
  sources[1].remote_folder = "/workspace";
  sources[1].patterns = {"*.log", "*.log.[0-9]*"};
  sources[1].recursive = false;
  sources[1].local_folder = home.logs;
  for (CollectSource& more : sources_of(*paths, rental.project)) sources.push_back(std::move(more));
  // What this rental brought before may be replaced by its newer state; anything else at home is kept beside
  // it.
  auto last = d.ledger.last_receipt(rental.label);
  if (!last) return fail(std::move(last).error());
  if (*last)
    for (CollectSource& source : sources) source.known = known_files(**last, source.remote_folder);
  const CollectOptions how{.last = options.last, .load_test = options.load_test};
  auto receipt = shell.collect(sources, how, caller.progress, caller.stop);
  if (!receipt) return fail(std::move(receipt).error().during("collecting results"));

  json document = *receipt;
  document["instance_id"] = rental.instance ? json(*rental.instance) : json(nullptr);
  document["label"] = rental.label;
  document["collected_at"] = to_iso8601(d.clock.now());
  if (auto stored = d.ledger.add_receipt(rental.label, d.clock.now(), document); !stored)
    return fail(std::move(stored).error());
  if (rental.instance) {
    const auto at = home.logs / ("receipt-" + to_string(*rental.instance) + ".json");
    if (auto written = replace_file(at, document.dump(2, ' ', false, json::error_handler_t::replace) + "\n");
        !written)
      return fail(std::move(written).error().during("writing the receipt"));
  }
  if (receipt->complete) {
    if (auto written = amend(d, rental, [&](Rental& now) { now.collected = d.clock.now(); }); !written)
      return fail(std::move(written).error());
  }
  log_fact("collected label=", rental.label, " files=", receipt->files.size(),
           " complete=", receipt->complete);
  return receipt;
}

}  // namespace vastgpu
