#include "fleet/bring_home.h"

#include "core/files.h"
#include "core/log.h"
#include "fleet/guard.h"
#include "fleet/jobs.h"
#include "fleet/other_rentals.h"
#include "fleet/reach.h"
#include "fleet/record.h"
#include "fleet/result_paths.h"

namespace vastgpu {

namespace {

/// "41234567/": below the folder where its files go whose names are taken.
std::string own_folder(const Rental& rental) {
  return (rental.instance ? to_string(*rental.instance) : rental.label) + "/";
}

/// What this rental brought before may be replaced by its newer state, unless another one's receipt names it
/// too. What another one brought keeps its name. Anything else at home is renamed, but not among the user's
/// own files.
void keep_apart(CollectSource& source, const Rental& rental, OtherRentals& others) {
  source.aside = (source.local_folder == rental.project ? "results/" : "") + own_folder(rental);
  source.keeps_name = [&others, folder = source.remote_folder, among_own = source.among_own](
                          const std::string& path, const std::string& sha256, bool ours) {
    if (ours) return others.hold(folder, path, sha256);
    return among_own || others.any_open() || others.hold(folder, path, sha256);
  };
}

json document_of(const Deps& d, const Rental& rental, const Receipt& receipt) {
  json document = receipt;
  document["instance_id"] = rental.instance ? json(*rental.instance) : json(nullptr);
  document["label"] = rental.label;
  document["collected_at"] = to_iso8601(d.clock.now());
  return document;
}

/// A collection that failed has placed files all the same: the next one has to know them as its own.
void note_placed(const Deps& d, const Rental& rental, std::vector<ReceiptFile> placed,
                 const std::optional<json>& last, const Error& why) {
  if (placed.empty()) return;
  Receipt part;
  part.fetched = placed.size();
  part.files = std::move(placed);
  part.problems = {"cut short: " + why.what};
  json document = document_of(d, rental, part);
  if (last)
    for (json& f : left_out(*last, document)) document["files"].push_back(std::move(f));
  if (auto stored = d.ledger.add_receipt(rental.label, d.clock.now(), document); !stored)
    log_fact("not-noted label=", rental.label, " files=", part.files.size(), " why=", stored.error().what);
}

}  // namespace

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
  auto last = d.ledger.last_receipt(rental.label);
  if (!last) return fail(std::move(last).error());
  OtherRentals others(d, rental);
  for (CollectSource& source : sources) {
    if (*last) source.known = known_files(**last, source.remote_folder);
    keep_apart(source, rental, others);
  }
  std::vector<ReceiptFile> placed;
  const CollectOptions how{.last = options.last,
                           .load_test = options.load_test,
                           .placed = [&](const ReceiptFile& f) { placed.push_back(f); }};
  auto receipt = shell.collect(sources, how, caller.progress, caller.stop);
  if (!receipt) {
    note_placed(d, rental, std::move(placed), *last, receipt.error());
    return fail(std::move(receipt).error().during("collecting results"));
  }

  json document = document_of(d, rental, *receipt);
  if (*last && !receipt->complete)
    if (json earlier = left_out(**last, document); !earlier.empty()) document["earlier"] = std::move(earlier);
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
