#include "remote/sync_up.h"

#include <algorithm>

#include "core/text.h"
#include "remote/file_reading.h"
#include "remote/local_tree.h"
#include "remote/machine_view.h"
#include "remote/persist.h"
#include "remote/small_files.h"
#include "remote/upload_lanes.h"
#include "remote/upload_plan.h"

namespace vastgpu {
namespace {

using State = MachineView::State;

// Sending so much takes no longer than asking whether it is there.
constexpr std::uint64_t kNotWorthAsking = 1'000'000;

// A question that takes longer went over a link whose first second is slower than any packing.
constexpr std::chrono::milliseconds kFar{40};

/// What differs, by the way it travels.
struct Differences {
  SmallPlan small;
  std::vector<LargeFile> large;
  std::uint64_t small_bytes = 0;
};

Differences differences(const LocalTree& tree, const MachineView& view) {
  Differences d;
  for (std::size_t i = 0; i < tree.files.size(); ++i) {
    const LocalFile& f = tree.files[i];
    if (view.files[i] == State::there) continue;
    if (view.files[i] == State::other_mode) {
      d.small.modes.push_back(&f);
      continue;
    }
    // One that cannot be read any more goes with the small ones, which say so.
    if (std::string key = f.size >= kLargeFile ? piece_key(tree, f) : ""; !key.empty()) {
      d.large.push_back({&f, std::move(key), pays_to_pack(view.packing, sample_of(tree, f, 512 * 1024))});
      continue;
    }
    d.small.files.push_back(&f);
    d.small_bytes += f.size;
  }
  return d;
}

bool is_key(std::string_view name) {
  return name.size() == 33 && name[16] == '-' &&
         name.find_first_not_of("0123456789abcdef-") == std::string::npos;
}

/// Unfinished copies of other versions of what travels now.
std::set<std::string> obsolete_copies(const MachineView& view, const std::vector<LargeFile>& large) {
  std::set<std::string> obsolete;
  for (const auto& [key, journal] : view.journals)
    for (const LargeFile& f : large)
      if (is_key(key) && obsolete.size() < 200 && key != f.key && key.substr(0, 16) == f.key.substr(0, 16))
        obsolete.insert(key);
  return obsolete;
}

Result<void> check_room(const MachineView& view, std::uint64_t needed, const std::string& folder) {
  if (!view.free || needed <= *view.free) return {};
  return fail(
      {.code = Code::wrong_state,
       .what = text(bytes(needed), " have to go to ", clean_line(folder), ", but only ", bytes(*view.free),
                    " are free on the machine"),
       .next_step = "send less, delete there what is not needed, or rent a machine with a larger disk"});
}

Result<MachineView> look(SshLink& link, const SyncPlace& place, const LocalTree& tree, const SyncRules& rules,
                         const std::stop_token& stop, SyncReport& report) {
  const auto broke = [&] { ++report.reconnects; };
  auto view = persist<MachineView>(link, stop, broke, [&](SshSession& session) {
    ++report.round_trips;
    return ask_machine(session, place, tree, rules,
                       rules.delete_extra ? std::string() : receiver(place, "$U", false), stop);
  });
  if (!view) return view;
  std::uint64_t unknown = 0;
  for (std::size_t i = 0; i < tree.files.size(); ++i)
    if (view->files[i] == State::unknown) unknown += tree.files[i].size;
  if (unknown > kNotWorthAsking) {
    auto asked = persist<void>(link, stop, broke, [&](SshSession& session) {
      ++report.round_trips;
      return ask_unknown(session, place, tree, *view, stop);
    });
    if (!asked) return fail(std::move(asked).error());
  }
  std::replace(view->files.begin(), view->files.end(), State::unknown, State::missing);
  return view;
}

}  // namespace

Result<SyncReport> send_tree(SshLink& link, const std::filesystem::path& local, const std::string& remote,
                             const SyncRules& rules, const ProgressFn& progress, std::stop_token stop) {
  if (remote.empty() || remote.find('\0') != std::string::npos)
    return fail({.code = Code::invalid_argument,
                 .what = "no folder on the machine was named",
                 .next_step = "name one"});
  auto tree = walk_tree(local, rules, stop);
  if (!tree) return fail(std::move(tree).error());
  SyncReport report;
  report.files = tree->files.size();
  report.bytes = tree->bytes;
  report.stayed = tree->stayed;
  if (progress) progress(0, text(report.files, " files, ", bytes(tree->bytes)));

  const SyncPlace place = sync_place(remote, rules);
  const auto asked = std::chrono::steady_clock::now();
  auto view = look(link, place, *tree, rules, stop, report);
  if (!view) return fail(std::move(view).error());
  const auto took = (std::chrono::steady_clock::now() - asked) / std::max<std::size_t>(report.round_trips, 1);
  Differences d = differences(*tree, *view);
  d.small.enough = rules.enough;
  d.small.far = took > kFar;
  d.small.delete_extra = rules.delete_extra && !tree->stayed.missed;
  if (rules.delete_extra && tree->stayed.missed)
    report.stayed.named.push_back("nothing was deleted there, since not everything here could be read");

  const std::set<std::string> obsolete = obsolete_copies(*view, d.large);
  UploadPlan plan(std::move(d.large), view->journals);
  const std::uint64_t needed = d.small_bytes + plan.missing();
  if (auto room = check_room(*view, needed, remote); !room) return fail(std::move(room).error());
  report.resumed = plan.resumed();
  UploadMeter meter(needed, progress);
  const bool deletes = d.small.delete_extra && view->to_delete > 0;
  if (!d.small.files.empty() || !d.small.modes.empty() || !view->names_known || deletes)
    if (auto sent = send_small(link, place, *tree, d.small, view->packing, std::move(view->waiting), meter,
                               stop, report);
        !sent)
      return fail(std::move(sent).error());
  view->waiting.reset();
  if (!plan.files().empty() && report.complete)
    if (auto sent =
            send_large(link, remote, *tree, plan, obsolete, view->packing, rules.enough, meter, stop, report);
        !sent)
      return fail(std::move(sent).error());
  if (progress && report.complete) progress(1, text(report.sent_files, " of ", report.files, " files sent"));
  return report;
}

}  // namespace vastgpu
