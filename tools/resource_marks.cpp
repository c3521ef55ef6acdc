#include "tools/resource_marks.h"

#include <sys/stat.h>

#include "core/files.h"
#include "core/text.h"
#include "fleet/bring_home.h"
#include "fleet/followed_log.h"
#include "fleet/report.h"
#include "tools/pages.h"
#include "tools/resource_uri.h"

namespace vastgpu {
namespace {

namespace fs = std::filesystem;
using Kind = ResourceAddress::Kind;

constexpr const char* kAbsent = "absent";
constexpr const char* kUnknown = "unknown";  // for now: whoever is told looks again
constexpr std::size_t kMostExperiments = 100;

std::string short_hash(std::string_view content) { return sha256_hex(content).substr(0, 32); }

/// Which file stands there and how it stands, without reading it.
std::string file_mark(const fs::path& file) {
  struct stat info {};
  if (::stat(file.c_str(), &info) != 0) return kAbsent;
  return text(info.st_dev, ":", info.st_ino, ":", info.st_size, ":", info.st_mtim.tv_sec, ".",
              info.st_mtim.tv_nsec);
}

/// Facts at one fixed time, so that only the record counts and not the clock.
std::string rental_mark(Ledger& ledger, const Rental& r) {
  return dump(rental_facts(r, r.created)) + (r.ended ? to_iso8601(*r.ended) : "") +
         dump(experiment_facts(ledger, r));
}

std::string charges_mark(Ledger& ledger, const Rental& r) {
  std::string out;
  if (const auto charges = ledger.charges(r.label))
    for (const ChargeRecord& c : *charges) out += text(c.type, "=", c.amount.value, ";");
  return out;
}

std::string all_costs_mark(Ledger& ledger) {
  const auto rentals = ledger.rentals(false);
  if (!rentals) return kUnknown;
  std::string out;
  for (const Rental& r : *rentals)
    out += text(r.label, to_string(r.status), r.price.value, ",", r.worst_case.value, ",",
                r.ended ? to_iso8601(*r.ended) : "", charges_mark(ledger, r), "\n");
  return short_hash(out);
}

std::string instance_file_mark(Workplace& w) {
  const auto project = w.project(std::nullopt);
  if (!project) return kAbsent;
  const auto content = read_file(*project / "vast-instances.json", 8u << 20);
  if (content) return short_hash(*content);
  return content.error().code == Code::not_found ? kAbsent : file_mark(*project / "vast-instances.json");
}

std::optional<std::string> mark_of(Workplace& w, const std::string& uri) {
  if (uri == kOptionsPage || uri == kRentalsPage) return "a part of the program";
  const auto at = parse_resource(uri);
  if (!at) return std::nullopt;
  if (at->kind == Kind::instance_file) return instance_file_mark(w);
  Ledger* const ledger = w.known_ledger();
  if (ledger == nullptr) return kAbsent;
  if (at->kind == Kind::all_costs) return all_costs_mark(*ledger);
  const auto rental = ledger->rental_by_instance(at->instance);
  if (!rental) return kUnknown;
  if (!*rental) return kAbsent;
  if (at->kind == Kind::log) {
    std::string out;
    for (const fs::path& file : log_files(w.state_folder(), **rental, at->experiment))
      out += file_mark(file) + "\n";
    return out;
  }
  std::string out = rental_mark(*ledger, **rental);
  if (at->kind == Kind::cost) out += charges_mark(*ledger, **rental);
  return short_hash(out);
}

std::vector<fs::path> folders_of(Workplace& w, const std::string& uri) {
  std::vector<fs::path> folders{w.state_folder()};
  const auto at = parse_resource(uri);
  if (!at) return folders;
  if (at->kind == Kind::instance_file) {
    if (const auto project = w.project(std::nullopt)) folders.push_back(*project);
  } else if (at->kind == Kind::log) {
    Ledger* const ledger = w.known_ledger();
    const auto rental = ledger != nullptr ? ledger->rental_by_instance(at->instance) : fail({});
    if (rental && *rental) {
      for (const fs::path& file : log_files(w.state_folder(), **rental, at->experiment))
        folders.push_back(file.parent_path());
      folders.emplace_back((*rental)->project);  // where the folder of logs may come to be
      folders.push_back(w.state_folder() / "followed");
    }
  }
  return folders;
}

}  // namespace

std::optional<TimePoint> changed_at(const fs::path& file) {
  struct stat info {};
  if (::stat(file.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return std::nullopt;
  return TimePoint(std::chrono::seconds(info.st_mtim.tv_sec) +
                   std::chrono::microseconds(info.st_mtim.tv_nsec / 1000));
}

std::vector<fs::path> log_files(const fs::path& state_folder, const Rental& rental,
                                const std::string& experiment) {
  const fs::path logs = home_folders(rental).logs;
  const std::string name = experiment + ".log";
  std::vector<fs::path> files{followed_log(state_folder, rental, experiment)};
  // In its own folder where another rental of the project has a log of that name, else beside the others.
  const fs::path own = logs / (rental.instance ? to_string(*rental.instance) : rental.label) / name;
  std::error_code missing;
  files.push_back(fs::exists(own, missing) ? own : logs / name);
  return files;
}

json experiment_facts(Ledger& ledger, const Rental& rental) {
  json out = json::array();
  const auto jobs = ledger.jobs(rental.label);
  if (!jobs) return out;
  for (const Job& job : *jobs) {
    if (out.size() == kMostExperiments) break;
    out.push_back({{"experiment", job.experiment},
                   {"state", to_string(job.state)},
                   {"exit_code", job.exit_code ? json(*job.exit_code) : json(nullptr)}});
  }
  return out;
}

ResourceMarks resource_marks(Workplace& w, std::function<Result<std::vector<ResourceInfo>>()> list) {
  ResourceMarks marks;
  marks.of = [&w](const std::string& uri) { return mark_of(w, uri); };
  marks.list = [list = std::move(list)] {
    const auto listed = list();
    if (!listed) return std::string(kUnknown);
    std::string out;
    for (const ResourceInfo& one : *listed) out += one.uri + "\n" + one.title + "\n";
    return short_hash(out);
  };
  marks.folders = [&w](const std::string& uri) { return folders_of(w, uri); };
  return marks;
}

}  // namespace vastgpu
