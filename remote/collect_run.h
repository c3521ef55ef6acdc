#pragma once
// What the parts of one collection share. One thread at a time.

#include <vector>

#include "core/text.h"
#include "remote/choose.h"
#include "remote/landing.h"
#include "remote/stamina.h"

namespace vastgpu {

inline constexpr std::string_view kChanged = "changed while it was collected";

/// "train.log", "train.log.1"
inline bool is_log(std::string_view path) {
  const std::string_view name = path.substr(path.rfind('/') + 1);
  return name.ends_with(".log") || name.find(".log.") != std::string_view::npos;
}

struct CollectRun {
  SshLink& link;
  const std::vector<CollectSource>& sources;
  const CollectOptions& options;
  const ProgressFn& progress;
  std::stop_token stop;
  Stamina stamina;  ///< for all that travels
  std::vector<Landing> landings = {};
  Findings findings = {};
  Packing packing = Packing::none;
  std::uint64_t to_fetch = 0, arrived = 0, told = 0;  ///< bytes
  double told_fraction = 0;

  void tell(double fraction, const std::string& message) {
    told_fraction = std::max(told_fraction, fraction);
    if (progress) progress(told_fraction, message);
  }
  void bytes_came(std::uint64_t n) {
    constexpr std::uint64_t kTellEvery = 200'000;  // bytes between two words of progress
    arrived += n;
    stamina.moved();
    if (arrived < told + kTellEvery) return;
    told = arrived;
    const auto share =
        static_cast<double>(arrived) / static_cast<double>(std::max<std::uint64_t>(to_fetch, 1));
    tell(0.05 + 0.9 * std::min(share, 1.0), text("fetching ", bytes(arrived), " of ", bytes(to_fetch)));
  }
  std::vector<Wanted*> growing = {};  ///< logs that changed, on a machine that goes next

  /// It does not come home in this call.
  void name(Wanted& w, std::string_view why) {
    w.named = true;
    if (options.last && why == kChanged && is_log(w.entry.path)) return growing.push_back(&w);
    findings.incomplete(text(clean_line(w.remote), ": ", why));
  }
  /// What this rental brought under that name before.
  std::string known_hash(const Wanted& w) const {
    const auto& known = sources[w.source].known;
    const auto before = known.find(w.entry.path);
    if (before == known.end() || (before->second.found && sources[w.source].among_own)) return "";
    return before->second.sha256;
  }
  ReceiptFile receipt_of(const Wanted& w) const {
    return {.path = w.entry.path,
            .folder = sources[w.source].remote_folder,
            .size = w.entry.size,
            .sha256 = w.sha256,
            .times = w.moved ? "" : w.entry.times,
            .relied = w.relied,
            .resumed = w.resumed,
            .note = w.note,
            .home = w.home == w.entry.path ? "" : w.home,
            .found = w.found};
  }
  /// Gives a file its name, or says why not.
  template <class PartKind>
  void place(Wanted& w, PartKind& part, const std::string& sha256) {
    const CollectSource& source = sources[w.source];
    SpareName elsewhere;
    if (source.keeps_name && w.home == w.entry.path)
      elsewhere = {source.aside + w.entry.path,
                   [&](const std::string& hash, bool ours) { return source.keeps_name(w.home, hash, ours); }};
    auto placed = landings[w.source].place(part, known_hash(w), elsewhere);
    if (!placed) return name(w, placed.error().what);
    if (!placed->kept.empty())
      findings.remark(clean_line(w.home) + ": another file had that name at home, kept as " + placed->kept);
    if (placed->elsewhere) {
      w.home = elsewhere.path;
      findings.remark(clean_line(w.remote) + ": its name at home is that of another file, so it is at " +
                      (source.local_folder / w.home).string());
    }
    w.sha256 = sha256;
    w.at_home = w.fetched = true;
    w.found = false;
    if (options.placed) options.placed(receipt_of(w));
  }
};

}  // namespace vastgpu
