#include "remote/collect.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "core/text.h"
#include "remote/globs.h"
#include "remote/landing.h"
#include "remote/machine_tools.h"
#include "remote/remote_listing.h"
#include "remote/ssh_command.h"

namespace vastgpu {
namespace {

constexpr std::chrono::seconds kIdleLimit{60};
constexpr std::uint64_t kSpareDisk = 64'000'000;  // left free at home
constexpr std::uint64_t kTellEvery = 200'000;     // bytes between two words of progress
constexpr std::size_t kMostReady = 1000;          // files, or
constexpr std::uint64_t kMostReadyBytes =
    1'000'000'000;  // bytes that arrived and are then put on disk together
constexpr std::uint64_t kMostUnwanted =
    4'000'000'000;  // bytes in the tar that are thrown away before it is cut off

/// One file that is to come home.
struct Wanted {
  std::size_t source = 0;
  std::string remote;  ///< absolute
  RemoteEntry entry;
  std::string sha256;    ///< computed on the machine
  bool arrived = false;  ///< or was refused on arrival
  bool at_home = false;
};

/// A file that arrived whole and waits for its name.
struct Ready {
  Landing::Part part;
  Wanted* wanted;
};

std::string lexical(const std::string& path) {
  return std::filesystem::path(path).lexically_normal().string();
}

class Collect {
 public:
  Collect(SshSession& session, const std::vector<CollectSource>& sources, const ProgressFn& progress,
          std::stop_token stop)
      : session_(session), sources_(sources), progress_(progress), stop_(std::move(stop)) {
    for (const CollectSource& s : sources) landings_.emplace_back(s.local_folder);
  }

  Result<Receipt> run() {
    tell(0, "listing results");
    auto listing = list_folders(session_, sources_, stop_);
    if (!listing) return fail(std::move(listing).error());
    if (listing->too_large) {
      incomplete("more than 100,000 files or 64 MB of names: pack them on the machine, or name patterns");
      return std::move(receipt_);
    }
    choose(*listing);
    return hash()
        .and_then([&] { return compare(); })
        .and_then([&] { return fetch(listing->packing); })
        .and_then([&] { return verify(); })
        .map([&] {
          write_receipt();
          return std::move(receipt_);
        });
  }

 private:
  void tell(double fraction, const std::string& message) const {
    if (progress_) progress_(fraction, message);
  }
  void remark(const std::string& what) {
    if (receipt_.problems.size() < 50) receipt_.problems.push_back(what);
  }
  void incomplete(const std::string& what) {
    whole_ = false;
    remark(what);
  }

  /// Which of the listed files come home, by pattern and by name.
  void choose(const RemoteListing& listing) {
    std::unordered_set<std::string> home_names, taken;
    for (std::size_t i = 0; i < sources_.size(); ++i) {
      const CollectSource& source = sources_[i];
      const RemoteFolder& folder = listing.folders[i];
      if (!folder.trouble.empty()) incomplete(source.remote_folder + ": " + folder.trouble);
      const Globs patterns(source.patterns);
      std::unordered_set<std::string> chosen;
      std::vector<const RemoteEntry*> links;
      for (const RemoteEntry& e : folder.entries) {
        const bool as_folder = e.type == 'l' && patterns.matches_folder(e.path);
        if (!source.patterns.empty() && !patterns.matches_file(e.path) && !as_folder) continue;
        const std::string shown = clean_line(absolute(source, e.path));
        if (e.type == 'l') {
          links.push_back(&e);
        } else if (e.type != 'f') {
          remark(shown + ": not a file (socket, pipe or device), nothing to bring");
        } else if (const auto objection = objection_to(e.path)) {
          incomplete(shown + ": refused, it has " + *objection);
        } else if (!home_names.insert(to_lower(lexical((source.local_folder / e.path).string()))).second) {
          incomplete(shown +
                     ": refused, its name is already taken at home (upper and lower case are the same)");
        } else if (std::string remote = absolute(source, e.path); taken.insert(remote).second) {
          wanted_.push_back({i, std::move(remote), e, "", false, false});
          chosen.insert(e.path);
        }
      }
      for (const RemoteEntry* link : links) check_link(source, *link, chosen);
    }
  }

  static std::string absolute(const CollectSource& source, const std::string& path) {
    return source.remote_folder.ends_with('/') ? source.remote_folder + path
                                               : source.remote_folder + "/" + path;
  }

  /// A link to something that comes home by itself loses nothing, nor does one to nothing.
  void check_link(const CollectSource& source, const RemoteEntry& e,
                  const std::unordered_set<std::string>& chosen) {
    const bool folder = e.target_type == 'd';
    if (e.target_type == 'N' || e.target_type == 'L' || (folder && !source.recursive)) return;
    const std::string root = lexical(absolute(source, ""));
    const auto target = std::filesystem::path(absolute(source, e.path)).parent_path() / e.link;
    const std::string leads_to = lexical(target.string());
    const bool inside = leads_to.starts_with(root) && leads_to.size() > root.size();
    if (inside && (folder ? source.patterns.empty() : chosen.contains(leads_to.substr(root.size())))) return;
    incomplete(clean_line(absolute(source, e.path)) + ": refused, a link that leads to " +
               clean_line(e.link));
  }

  Result<void> hash() {
    if (wanted_.empty()) return {};
    tell(0.02, text("hashing ", wanted_.size(), " files on the machine"));
    std::vector<std::string> paths;
    std::uint64_t largest = 0;
    for (const Wanted& w : wanted_) {
      paths.push_back(w.remote);
      largest = std::max(largest, w.entry.size);
    }
    auto hashes = hash_on_machine(session_, paths, largest, stop_);
    if (!hashes) return fail(std::move(hashes).error());
    for (Wanted& w : wanted_) {
      const auto at = hashes->find(w.remote);
      if (at == hashes->end())
        incomplete(clean_line(w.remote) + ": cannot be read on the machine, or went away");
      else
        w.sha256 = at->second;
    }
    std::erase_if(wanted_, [](const Wanted& w) { return w.sha256.empty(); });
    return {};
  }

  Result<void> compare() {
    std::set<std::size_t> needed;  // sources
    for (Wanted& w : wanted_) {
      w.at_home = landings_[w.source].hash_if_size(w.entry.path, w.entry.size, stop_) == w.sha256;
      if (stop_.stop_requested())
        return fail(
            {.code = Code::cancelled, .what = "stopped on request", .next_step = "collect again to go on"});
      if (w.at_home) continue;
      to_fetch_ +=
          std::min(w.entry.size, std::uint64_t{1} << 46);  // more is a lie, and 100,000 of them fit a sum
      needed.insert(w.source);
    }
    // Sources usually share one disk, so each is asked for room for all that comes.
    for (const std::size_t source : needed) {
      const auto free = landings_[source].free_bytes();
      if (free && *free < to_fetch_ + kSpareDisk)
        return fail({.code = Code::unavailable,
                     .what = text("the results need ", bytes(to_fetch_), ", but ", bytes(*free),
                                  " are free at ", sources_[source].local_folder.string()),
                     .next_step = "free some disk space and collect again"});
    }
    return {};
  }

  Result<void> fetch(Packing packing) {
    std::string names;
    for (Wanted& w : wanted_) {
      if (w.at_home) continue;
      by_remote_[w.remote] = &w;
      names.append(w.remote).append(1, '\0');
    }
    if (by_remote_.empty()) return {};
    // gzip is slower than a fast link and checkpoints do not shrink: it only pays for a small load.
    if (packing == Packing::gzip && to_fetch_ > 64'000'000) packing = Packing::none;
    const char* pack = packing == Packing::zstd   ? " | zstd -1 -q -c"
                       : packing == Packing::gzip ? " | gzip -1 -c"
                                                  : "";
    const std::string script =
        text("LC_ALL=C tar -P --format=gnu --hard-dereference --no-recursion --ignore-failed-read ",
             "--null --no-unquote -cf - -T -", pack);
    Patience patience(kIdleLimit, stop_, Patience::Kind::idle);
    auto machine = SshCommand::start(session_, script, SshCommand::Output::read, 4096, patience);
    if (!machine) return fail(std::move(machine).error().during("fetching results"));
    (*machine)->send_meanwhile(names);
    auto tar =
        TarReader::open(packing, [&](std::span<char> into) { return (*machine)->read(into, patience); });
    if (!tar) return fail(std::move(tar).error().during("fetching results"));
    auto unpacked = unpack(*tar);
    auto settled = settle();  // what arrived whole stays, even when the link broke after it
    if (!unpacked) return fail(without_effect(std::move(unpacked).error()));
    if (!settled) return fail(without_effect(std::move(settled).error()));
    auto code = (*machine)->finish(patience);
    if (!code) return fail(without_effect(std::move(code).error()));
    for (const auto& [remote, w] : by_remote_)
      if (!w->at_home && !named_.contains(remote)) incomplete(clean_line(remote) + ": did not arrive");
    for (Landing& landing : landings_)
      if (auto synced = landing.sync(); !synced)
        return synced;  // the names too, before anybody relies on them
    return {};
  }

  Result<void> unpack(TarReader& tar) {
    for (;;) {
      auto entry = tar.next();
      if (!entry) return fail(std::move(entry).error());
      if (!*entry) return {};
      if (auto taken = take(tar, **entry); !taken) return taken;
    }
  }

  /// Reading changes nothing over there, whatever happened to the link.
  static Error without_effect(Error e) {
    e.effect = Effect::none;
    return std::move(e).during("fetching results");
  }

  /// One entry of the tar: lands if it is exactly what was asked for. An error ends the transfer.
  Result<void> take(TarReader& tar, const TarEntry& entry) {
    const auto at = by_remote_.find(entry.path);
    Wanted* w = at == by_remote_.end() ? nullptr : at->second;
    const bool twice = w != nullptr && std::exchange(w->arrived, true);
    if (w == nullptr || twice || !entry.is_file || entry.size != w->entry.size) {
      if (w == nullptr)
        incomplete(clean_line(entry.path) + ": arrived unasked, refused");
      else if (!twice)
        name(*w, entry.is_file ? "changed while it was collected" : "is no longer a file");
      return skip(tar);
    }
    Landing& landing = landings_[w->source];
    auto part = landing.begin(w->entry.path);
    if (!part) {
      name(*w, part.error().what);
      return skip(tar);
    }
    for (;;) {
      auto piece = tar.data();
      if (!piece) return fail(std::move(piece).error());
      if (piece->empty()) break;
      if (auto written = part->write(*piece); !written) return fail(std::move(written).error());
      arrived_ += piece->size();
      if (!progress_ || arrived_ < told_ + kTellEvery) continue;
      told_ = arrived_;
      tell(0.05 + 0.9 * static_cast<double>(arrived_) /
                      static_cast<double>(std::max<std::uint64_t>(to_fetch_, 1)),
           text("fetching ", bytes(arrived_), " of ", bytes(to_fetch_)));
    }
    if (auto fine = part->check(w->entry.size, w->sha256, w->entry.changed); !fine) {
      name(*w, fine.error().code == Code::corrupt ? "changed while it was collected" : fine.error().what);
      return {};
    }
    ready_.push_back({*std::move(part), w});
    ready_bytes_ += w->entry.size;
    return ready_.size() < kMostReady && ready_bytes_ < kMostReadyBytes ? Result<void>() : settle();
  }

  /// Gives the files that arrived whole their names. On disk first, so that no crash leaves a name without
  /// content.
  Result<void> settle() {
    ready_bytes_ = 0;
    auto ready = std::exchange(ready_, {});
    std::set<std::size_t> used;
    for (const Ready& r : ready) used.insert(r.wanted->source);
    for (const std::size_t source : used)
      if (auto synced = landings_[source].sync(); !synced) return synced;
    for (Ready& r : ready) {
      Wanted& w = *r.wanted;
      const auto& known = sources_[w.source].known;
      const auto before = known.find(w.entry.path);
      auto kept = r.part.place(before == known.end() ? "" : before->second);
      if (!kept) {
        name(w, kept.error().what);
        continue;
      }
      if (!kept->empty())
        remark(clean_line(w.entry.path) + ": another file had that name at home, kept as " + *kept);
      w.at_home = true;
      ++receipt_.fetched;
    }
    return {};
  }

  Result<void> skip(TarReader& tar) {
    for (;;) {
      auto piece = tar.data();
      if (!piece) return fail(std::move(piece).error());
      if (piece->empty()) return {};
      unwanted_ += piece->size();
      if (unwanted_ > kMostUnwanted)
        return fail({.code = Code::corrupt,
                     .what = "the machine sends what nobody asked for",
                     .next_step = "look at it with monitor; it may be broken or hostile"});
    }
  }

  void name(const Wanted& w, const std::string& why) {
    named_.insert(w.remote);
    incomplete(clean_line(w.remote) + ": " + why);
  }

  /// Whether somebody was still writing. Only after a transfer: otherwise the hashes were just compared.
  Result<void> verify() {
    if (receipt_.fetched == 0) return {};
    tell(0.96, "checking that nothing changed meanwhile");
    std::vector<std::string> paths;
    for (const Wanted& w : wanted_)
      if (w.at_home) paths.push_back(w.remote);
    auto seen = look_again(session_, paths, stop_);
    if (!seen) return fail(std::move(seen).error());
    std::vector<std::string> moved;
    std::uint64_t largest = 0;
    for (const Wanted& w : wanted_) {
      const auto now = seen->find(w.remote);
      if (!w.at_home || (now != seen->end() && now->second == SizeAndTime{w.entry.size, w.entry.changed}))
        continue;
      moved.push_back(w.remote);
      if (now != seen->end()) largest = std::max(largest, now->second.size);
    }
    if (moved.empty()) return {};
    auto hashes = hash_on_machine(session_, moved, largest, stop_);
    if (!hashes) return fail(std::move(hashes).error());
    const std::unordered_set<std::string> doubtful(moved.begin(), moved.end());
    for (const Wanted& w : wanted_) {
      if (!doubtful.contains(w.remote)) continue;
      const auto now = hashes->find(w.remote);
      // Removed meanwhile is fine: the copy at home is what it was.
      if (now != hashes->end() && now->second != w.sha256)
        name(w, "is still being written: it changed after it was fetched");
    }
    return {};
  }

  void write_receipt() {
    for (const Wanted& w : wanted_) {
      if (!w.at_home) continue;
      receipt_.files.push_back({w.entry.path, sources_[w.source].remote_folder, w.entry.size, w.sha256});
      receipt_.bytes += w.entry.size;
    }
    receipt_.complete = whole_;
    tell(1, text(receipt_.files.size(), " files at home, ", receipt_.fetched, " of them new"));
  }

  SshSession& session_;
  const std::vector<CollectSource>& sources_;
  const ProgressFn& progress_;
  std::stop_token stop_;
  std::vector<Landing> landings_;
  std::vector<Wanted> wanted_;
  std::unordered_map<std::string, Wanted*> by_remote_;
  std::unordered_set<std::string> named_;  // already in problems
  std::vector<Ready> ready_;
  std::uint64_t to_fetch_ = 0, arrived_ = 0, told_ = 0, unwanted_ = 0, ready_bytes_ = 0;
  bool whole_ = true;
  Receipt receipt_;
};

}  // namespace

Result<Receipt> collect_files(SshLink& link, const std::vector<CollectSource>& sources,
                              const ProgressFn& progress, std::stop_token stop) {
  for (const CollectSource& s : sources)
    if (!s.remote_folder.starts_with('/') || s.remote_folder.find('\0') != std::string::npos ||
        s.local_folder.empty())
      return fail({.code = Code::invalid_argument,
                   .what = "'" + clean_line(s.remote_folder) + "' is not an absolute folder on the machine",
                   .next_step = "name one that starts with /workspace"});
  Patience patience(kIdleLimit, stop);
  auto session = link.session(patience);
  if (!session) return fail(std::move(session).error());
  return Collect(**session, sources, progress, std::move(stop)).run();
}

}  // namespace vastgpu
