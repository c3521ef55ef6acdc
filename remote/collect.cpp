#include "remote/collect.h"

#include <algorithm>
#include <set>
#include <unordered_map>

#include "remote/collect_run.h"
#include "remote/fetch_big.h"
#include "remote/fetch_growing.h"
#include "remote/fetch_small.h"
#include "remote/load_test.h"

namespace vastgpu {
namespace {

constexpr std::uint64_t kSpareDisk = 64'000'000;   // left free at home
constexpr std::uint64_t kAlmostFull = 16'000'000;  // bytes free on the machine: programs there fail to write

class Collect {
  template <class Step>
  auto again(Step step) {
    return on_a_session(run_.link, run_.stamina, run_.stop, step);
  }

 public:
  explicit Collect(CollectRun& run) : run_(run) {
    for (const CollectSource& s : run_.sources) run_.landings.emplace_back(s.local_folder, s.aside);
  }

  Result<Receipt> run() {
    run_.tell(0, "listing results");
    auto listing =
        again([&](SshSession& s) { return list_folders(s, run_.sources, run_.options, run_.stop); });
    if (!listing) return fail(std::move(listing).error());
    if (listing->too_large) {
      run_.findings.incomplete(
          "more than 100,000 files or 24 MB of names: pack them on the machine, or name patterns");
      return receipt({});
    }
    run_.packing = listing->packing;
    if (listing->room && *listing->room < kAlmostFull)
      run_.findings.remark(text("the machine's disk is full (", bytes(*listing->room),
                                " free): what is written there now may be cut short"));
    wanted_ = choose(run_.sources, *listing, run_.options, run_.findings);
    return recognise()
        .and_then([&] { return refuse(); })
        .and_then([&] { return check_room(); })
        .and_then([&] { return fetch(); })
        .and_then([&] { return look(); })
        .and_then([&] { return hash_moved(); })
        .and_then([&] { return fetch_growing(run_, run_.growing); })
        .and_then([&] { return sync(); })
        .and_then([&] { return load_test(); })
        .and_then([&](std::vector<CheckedFile> checked) { return receipt(std::move(checked)); });
  }

 private:
  static Error stopped() {
    return {.code = Code::cancelled, .what = "stopped on request", .next_step = "collect again to go on"};
  }

  /// What is at home already: by the last receipt, or by asking the machine for hashes.
  Result<void> recognise() {
    std::vector<Wanted*> alike;
    for (Wanted& w : wanted_) {
      if (run_.stop.stop_requested()) return fail(stopped());
      Landing& landing = run_.landings[w.source];
      if (!landing.has(w.home, w.entry.size)) continue;
      const auto& known = run_.sources[w.source].known;
      const auto before = known.find(w.entry.path);
      const bool as_before = before != known.end() && !before->second.times.empty() &&
                             before->second.times == w.entry.times && before->second.size == w.entry.size;
      if (!as_before) {
        alike.push_back(&w);
        continue;
      }
      const auto ours = landing.hash_if_size(w.home, w.entry.size, run_.stop);
      if (ours != before->second.sha256) continue;  // somebody changed it here: it is brought again
      w.relied = true;
      settle_at_home(w, *ours);
    }
    if (alike.empty()) return {};
    run_.tell(0.02, text("hashing ", alike.size(), " files on the machine"));
    std::vector<std::string> paths;
    std::uint64_t total = 0;
    for (const Wanted* w : alike) {
      paths.push_back(w->remote);
      total += w->entry.size;
    }
    auto hashes =
        again([&](SshSession& s) { return hash_on_machine(s, paths, total, run_.options, run_.stop); });
    if (!hashes) return fail(std::move(hashes).error());
    for (Wanted* w : alike) {
      const auto theirs = hashes->find(w->remote);
      const auto ours = run_.landings[w->source].hash_if_size(w->home, w->entry.size, run_.stop);
      if (run_.stop.stop_requested()) return fail(stopped());
      if (theirs != hashes->end() && ours == theirs->second) settle_at_home(*w, *ours);
    }
    return {};
  }

  void settle_at_home(Wanted& w, const std::string& sha256) {
    w.sha256 = sha256;
    w.at_home = true;
    const auto& known = run_.sources[w.source].known;
    const auto before = known.find(w.entry.path);
    w.found = before == known.end() || before->second.found;
    run_.landings[w.source].rely_on(w.home);
  }

  Result<void> refuse() {
    for (Wanted& w : wanted_) {
      if (w.at_home || w.refusal.empty()) continue;
      w.named = true;
      run_.findings.incomplete(clean_line(w.remote) + ": refused, it has " + w.refusal +
                               "; name results so that it is not among them");
    }
    return {};
  }

  Result<void> check_room() {
    std::set<std::size_t> needed;  // sources
    std::uint64_t begun = 0;
    for (const Wanted& w : wanted_) {
      if (w.at_home || w.named) continue;
      run_.to_fetch += w.entry.size;
      if (w.entry.size >= run_.options.big_file)
        begun += run_.landings[w.source].begun(w.home, w.entry.size, w.entry.changed);
      needed.insert(w.source);
    }
    // Sources usually share one disk, so each is asked for room for all that comes.
    for (const std::size_t source : needed) {
      const auto free = run_.landings[source].free_bytes();
      if (free && *free + begun < run_.to_fetch + kSpareDisk)
        return fail({.code = Code::unavailable,
                     .what = text("the results need ", bytes(run_.to_fetch - std::min(begun, run_.to_fetch)),
                                  ", but ", bytes(*free), " are free at ",
                                  run_.sources[source].local_folder.string()),
                     .next_step = "free some disk space and collect again"});
    }
    return {};
  }

  Result<void> fetch() {
    std::vector<Wanted*> missing;
    for (Wanted& w : wanted_)
      if (!w.at_home && !w.named) missing.push_back(&w);
    for (const auto& group : in_order(missing)) {
      for (Wanted* w : missing) w->looked = false;
      std::vector<Wanted*> small, big;
      for (Wanted* w : group) (w->entry.size < run_.options.big_file ? small : big).push_back(w);
      if (!small.empty()) {
        auto back = fetch_small(run_, std::move(small));
        if (!back) return fail(std::move(back).error());
        big.insert(big.begin(), back->begin(), back->end());
      }
      if (big.empty()) continue;
      for (Wanted* w : missing) w->looked = false;
      if (auto done = fetch_big(run_, big); !done) return done;
    }
    return {};
  }

  /// Which files changed while others travelled. A single tar has looked at its files at its end; before a
  /// machine goes, what was at home already is looked at too.
  Result<void> look() {
    std::vector<std::string> paths;
    std::unordered_map<std::string, Wanted*> about;
    bool needed = run_.options.last;
    for (Wanted& w : wanted_) {
      if (!w.at_home || !(w.fetched || run_.options.last)) continue;
      needed = needed || !w.looked;
      about[w.remote] = &w;
      paths.push_back(w.remote);
    }
    if (!needed || paths.empty()) return {};
    run_.tell(0.95, "looking at the results again");
    auto seen = again([&](SshSession& s) { return look_again(s, paths, run_.options, run_.stop); });
    if (!seen) return fail(std::move(seen).error());
    for (const auto& [remote, w] : about) {
      const auto now = seen->find(remote);
      w->moved = now == seen->end() || now->second != SizeAndTime{w->entry.size, w->entry.changed};
    }
    return {};
  }

  /// Whether somebody was still writing what was fetched.
  Result<void> hash_moved() {
    std::vector<std::string> paths;
    std::unordered_map<std::string, Wanted*> moved;
    std::uint64_t total = 0;
    for (Wanted& w : wanted_) {
      if (!w.moved) continue;
      moved[w.remote] = &w;
      paths.push_back(w.remote);
      total += w.entry.size;
    }
    if (paths.empty()) return {};
    run_.tell(0.96, "checking what changed meanwhile");
    auto hashes =
        again([&](SshSession& s) { return hash_on_machine(s, paths, total, run_.options, run_.stop); });
    if (!hashes) return fail(std::move(hashes).error());
    for (const auto& [remote, w] : moved) {
      const auto now = hashes->find(remote);
      // Removed meanwhile is fine: the copy at home is what it was.
      if (now == hashes->end() || now->second == w->sha256) continue;
      if (run_.options.last && is_log(w->entry.path)) {
        w->note = text("still growing: what it was when it had ", w->entry.size, " bytes");
        run_.findings.remark(clean_line(remote) + " was still growing: what it was at " +
                             bytes(w->entry.size) + " is home");
      } else {
        run_.findings.incomplete(clean_line(remote) +
                                 ": is still being written: it changed after it was fetched");
      }
    }
    return {};
  }

  /// The names too, before anybody relies on them.
  Result<void> sync() {
    std::set<std::size_t> used;
    for (const Wanted& w : wanted_)
      if (w.fetched) used.insert(w.source);
    for (const std::size_t source : used)
      if (auto synced = run_.landings[source].sync(); !synced) return synced;
    return {};
  }

  Result<std::vector<CheckedFile>> load_test() {
    if (!run_.options.load_test) return std::vector<CheckedFile>();
    std::vector<const Wanted*> home;
    for (const Wanted& w : wanted_)
      if (w.at_home) home.push_back(&w);
    run_.tell(0.97, "loading results on the machine");
    auto checked = load_test_on_machine(run_, home);
    for (const CheckedFile& c : checked)
      if (c.verdict == CheckedFile::Verdict::failed)
        run_.findings.remark(clean_line(c.path) + ": CANNOT BE LOADED on the machine: " + c.words);
    return checked;
  }

  Result<Receipt> receipt(std::vector<CheckedFile> checked) {
    Receipt r;
    for (const Wanted& w : wanted_) {
      if (!w.at_home) continue;
      r.files.push_back(run_.receipt_of(w));
      r.bytes += w.entry.size;
      r.fetched += w.fetched ? 1 : 0;
    }
    r.checked = std::move(checked);
    r.problems = run_.findings.words();
    r.complete = run_.findings.whole();
    run_.tell(1, text(r.files.size(), " files at home, ", r.fetched, " of them new"));
    return r;
  }

  CollectRun& run_;
  std::vector<Wanted> wanted_;
};

}  // namespace

Result<Receipt> collect_files(SshLink& link, const std::vector<CollectSource>& sources,
                              const CollectOptions& options, const ProgressFn& progress,
                              std::stop_token stop) {
  for (const CollectSource& s : sources)
    if (!s.remote_folder.starts_with('/') || s.remote_folder.find('\0') != std::string::npos ||
        s.local_folder.empty())
      return fail({.code = Code::invalid_argument,
                   .what = "'" + clean_line(s.remote_folder) + "' is not an absolute folder on the machine",
                   .next_step = "name one that starts with /workspace"});
  CollectRun run{.link = link,
                 .sources = sources,
                 .options = options,
                 .progress = progress,
                 .stop = std::move(stop),
                 .stamina = {options.idle}};
  return Collect(run).run().map_error([](Error e) {
    e.effect = Effect::none;  // reading changes nothing over there, whatever happened to the link
    return e;
  });
}

}  // namespace vastgpu
