#include "remote/fetch_small.h"

#include <set>
#include <unordered_map>

#include "core/crash_point.h"
#include "remote/ssh_command.h"
#include "remote/time_limit.h"

namespace vastgpu {
namespace {

constexpr std::size_t kMostReady = 1000;  // files, or
constexpr std::uint64_t kMostReadyBytes =
    256'000'000;  // bytes that arrived and are then put on disk together
constexpr std::uint64_t kMostUnwanted =
    256'000'000;                               // bytes in the tar that are thrown away before it is cut off
constexpr std::size_t kMostSaid = 48'000'000;  // bytes of hashes and looks
constexpr std::uint64_t kWorthResuming = 65'536;  // bytes; below, asking again costs less than a piece

/// The names go to three readers, so the shell keeps them: one a line, which is safe since no name with a
/// line break is ever asked for. Hashes and looks come on stderr, beside the tar.
std::string script(Packing packing) {
  const char* pack = packing == Packing::zstd   ? " | zstd -1 -q -c"
                     : packing == Packing::gzip ? " | gzip -1 -c"
                                                : "";
  return text("LC_ALL=C; export LC_ALL; N=$(cat); exec 3>&2 2>/dev/null\n",
              "names() { printf '%s\\n' \"$N\" | tr '\\n' '\\0'; }\n",
              "names | xargs -0 sha256sum -z -- 1>&3 &\n",
              "names | tar -P --format=gnu --hard-dereference --no-recursion --ignore-failed-read --null "
              "--no-unquote -cf - -T -",
              pack, "\nwait\n{ printf 'LOOK\\0'; names | xargs -0 stat --printf='", kLookFormat,
              "' --; printf 'DONE\\0'; } 1>&3");
}

struct Ready {
  Landing::Part part;
  Wanted* wanted;
  std::string sha256;
};

/// One stream. Lives no longer than the session's command.
class Stream {
 public:
  Stream(CollectRun& run, const std::vector<Wanted*>& files) : run_(run) {
    for (Wanted* w : files) {
      asked_[w->remote] = w;
      names_ += w->remote + "\n";
    }
  }

  Result<void> run(SshSession& session, std::uint64_t bytes) {
    // gzip is slower than a fast link and checkpoints do not shrink: it only pays for a small load.
    const auto packing = run_.packing == Packing::gzip && bytes > 64'000'000 ? Packing::none : run_.packing;
    const CrashPoints crash("ssh");
    TimeLimit limit(run_.options.slow_window + hashing_time(bytes), run_.stop);
    limit_ = &limit;
    Patience patience(run_.options.idle, limit.token(), Patience::Kind::idle);
    auto machine = SshCommand::start(session, script(packing), SshCommand::Output::read, kMostSaid, patience);
    if (!machine) return fail(limit.explain(std::move(machine).error()));
    machine_ = machine->get();
    machine_->send_meanwhile(names_);
    auto tar = TarReader::open(packing, [&](std::span<char> into) { return pull(into, patience); });
    auto unpacked = tar ? unpack(*tar) : Result<void>(fail(std::move(tar).error()));
    // What arrived whole and was hashed stays, even when the link broke after it.
    auto ended = unpacked ? end(patience) : std::move(unpacked);
    auto settled = settle();
    if (ended && !settled) ended = std::move(settled);
    machine_ = nullptr;
    if (!ended) return fail(limit.explain(std::move(ended).error()));
    return ended;
  }

 private:
  Result<std::size_t> pull(std::span<char> into, Patience& patience) {
    auto got = machine_->read(into, patience);
    if (got && (came_ += *got) >= 65'536) {
      came_ = 0;
      limit_->again();
    }
    return got;
  }

  Result<void> unpack(TarReader& tar) {
    for (;;) {
      auto entry = tar.next();
      if (!entry) return fail(std::move(entry).error());
      if (!*entry) return {};
      if (auto taken = take(tar, **entry); !taken) return taken;
    }
  }

  /// One entry of the tar: lands if it is exactly what was asked for. An error ends the transfer.
  Result<void> take(TarReader& tar, const TarEntry& entry) {
    const auto at = asked_.find(entry.path);
    Wanted* w = at == asked_.end() ? nullptr : at->second;
    const bool again = w != nullptr && !arrived_.insert(w).second;
    if (w == nullptr || again || !entry.is_file || entry.size != w->entry.size) {
      if (w == nullptr)
        run_.findings.incomplete(clean_line(entry.path) + ": arrived unasked, refused");
      else if (!again)
        run_.name(*w, entry.is_file ? kChanged : "is no longer a file");
      return skip(tar);
    }
    auto part = run_.landings[w->source].begin(w->home);
    if (!part) {
      run_.name(*w, part.error().what);
      return skip(tar);
    }
    for (;;) {
      auto piece = tar.data();
      if (!piece) return fail(std::move(piece).error());
      if (piece->empty()) break;
      if (part->size() + piece->size() > w->entry.size) {
        run_.name(*w, kChanged);
        return skip(tar);
      }
      if (auto written = part->write(*piece); !written) return fail(std::move(written).error());
      run_.bytes_came(piece->size());
    }
    const bool whole = part->size() == w->entry.size;
    auto hash = part->close(w->entry.changed);
    if (!hash) return fail(std::move(hash).error());
    if (!whole) {
      run_.name(*w, kChanged);
      return {};
    }
    ready_bytes_ += w->entry.size;
    ready_.push_back({*std::move(part), w, *std::move(hash)});
    return ready_.size() < kMostReady && ready_bytes_ < kMostReadyBytes ? Result<void>() : settle();
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

  /// Reads what the machine has said of hashes and looks so far.
  Result<void> hear() {
    std::string_view rest = machine_->err;
    const auto before = rest.size();
    while (!rest.empty()) {
      if (const std::string_view mark = "LOOK"; !looking_ && rest.starts_with(mark) && rest.size() > 4) {
        looking_ = true;
        rest.remove_prefix(5);
        continue;
      }
      if (looking_ && rest.starts_with("DONE") && rest.size() > 4) {
        done_ = true;
        break;
      }
      if (looking_) {
        auto look = take_look(rest);
        if (!look) return fail(std::move(look).error());
        if (!*look) break;
        if (const auto at = asked_.find(std::string((*look)->path)); at != asked_.end() && (*look)->regular)
          seen_[at->second] = (*look)->now;
      } else {
        auto hash = take_hash(rest);
        if (!hash) return fail(std::move(hash).error());
        if (!*hash) break;
        if (const auto at = asked_.find(std::string((*hash)->path)); at != asked_.end())
          hashes_[at->second] = (*hash)->sha256;
      }
    }
    machine_->err.erase(0, before - rest.size());
    return {};
  }

  /// Gives the files their names that arrived whole and were hashed over there. On disk first, so that no
  /// crash leaves a name without content.
  Result<void> settle() {
    if (auto heard = hear(); !heard) return heard;
    std::vector<Ready> wait;
    std::set<std::size_t> used;
    for (Ready& r : ready_)
      if (hashes_.contains(r.wanted)) used.insert(r.wanted->source);
    for (const std::size_t source : used)
      if (auto synced = run_.landings[source].sync(); !synced) return synced;
    ready_bytes_ = 0;
    for (Ready& r : ready_) {
      const auto theirs = hashes_.find(r.wanted);
      if (theirs == hashes_.end()) {
        ready_bytes_ += r.wanted->entry.size;
        wait.push_back(std::move(r));
      } else if (theirs->second != r.sha256) {
        run_.name(*r.wanted, kChanged);
      } else {
        run_.place(*r.wanted, r.part, r.sha256);
      }
    }
    ready_ = std::move(wait);
    return {};
  }

  /// The tar is over: the rest of the hashes, and whether anything changed meanwhile.
  Result<void> end(Patience& patience) {
    char scrap[4096];
    for (;;) {  // what follows the tar's end is padding, or nobody's business
      auto got = pull(scrap, patience);
      if (!got) return fail(std::move(got).error());
      if (*got == 0) break;
      unwanted_ += *got;
      if (unwanted_ > kMostUnwanted)
        return fail({.code = Code::corrupt,
                     .what = "the machine's archive goes on after its end",
                     .next_step = "look at it with monitor; it may be broken or hostile"});
    }
    auto code = machine_->finish(patience);
    if (!code) return fail(std::move(code).error());
    if (auto settled = settle(); !settled) return settled;
    for (Ready& r : std::exchange(ready_, {})) run_.name(*r.wanted, "was not hashed by the machine");
    for (const auto& [remote, w] : asked_) {
      if (!w->at_home && !w->named)
        run_.name(*w, hashes_.contains(w) ? "did not arrive" : "cannot be read on the machine, or went away");
      const auto now = seen_.find(w);
      w->looked = w->at_home;
      w->moved = w->at_home && (!done_ || now == seen_.end() ||
                                now->second != SizeAndTime{w->entry.size, w->entry.changed});
    }
    return {};
  }

  CollectRun& run_;
  SshCommand* machine_ = nullptr;
  std::string names_;
  std::unordered_map<std::string, Wanted*> asked_;
  std::set<const Wanted*> arrived_;
  std::unordered_map<const Wanted*, std::string> hashes_;
  std::unordered_map<const Wanted*, SizeAndTime> seen_;
  std::vector<Ready> ready_;
  bool looking_ = false, done_ = false;
  std::uint64_t ready_bytes_ = 0, unwanted_ = 0, came_ = 0;
  TimeLimit* limit_ = nullptr;
};

}  // namespace

Result<std::vector<Wanted*>> fetch_small(CollectRun& run, std::vector<Wanted*> files) {
  std::vector<Wanted*> back;
  bool broke = false;
  auto done = on_a_session(run.link, run.stamina, run.stop, [&](SshSession& session) -> Result<void> {
    std::erase_if(files, [](const Wanted* w) { return w->at_home || w->named; });
    if (broke)
      std::erase_if(files, [&](Wanted* w) {
        const bool large = w->entry.size > kWorthResuming;
        if (large) back.push_back(w);
        return large;
      });
    broke = true;
    if (files.empty()) return {};
    std::uint64_t bytes = 0;
    for (const Wanted* w : files) bytes += w->entry.size;
    return Stream(run, files).run(session, bytes);
  });
  if (!done) return fail(std::move(done).error().during("fetching results"));
  return back;
}

}  // namespace vastgpu
