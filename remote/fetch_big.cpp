#include "remote/fetch_big.h"

#include <list>
#include <thread>

#include "remote/fetch_lane.h"

namespace vastgpu {
namespace {

constexpr std::size_t kFirstLanes = 2, kMostLanes = 8;
constexpr std::size_t kMostOpen = 32;                  // files
constexpr std::chrono::milliseconds kSaveEvery{2000};  // what a crash costs at most, times the rate
constexpr std::chrono::milliseconds kTurn{20};
constexpr std::uint64_t kHashAtOnce = 32 << 20;  // bytes between two looks at everything else

using Time = Stamina::Clock::time_point;

/// Doubles the sessions while that makes it faster: on a lossy far link each brings nearly its own rate, on
/// one that is full none does.
class Growth {
 public:
  explicit Growth(Time now) : from_(now + kSettle) {}
  bool wants_more(Time now, std::uint64_t arrived, std::size_t lanes, std::uint64_t left) {
    if (over_ || lanes >= kMostLanes || now < from_) return false;
    if (!measuring_) {
      measuring_ = true;
      start_ = now;
      arrived_ = arrived;
      return false;
    }
    if (now - start_ < kMeasure) return false;
    const double rate =
        static_cast<double>(arrived - arrived_) / std::chrono::duration<double>(now - start_).count();
    over_ = rate < 1.2 * before_;
    // Logging in takes a second on a far link.
    if (over_ || static_cast<double>(left) < 5 * rate) return false;
    before_ = rate;
    measuring_ = false;
    from_ = now + kSettle;
    return true;
  }

 private:
  static constexpr std::chrono::milliseconds kSettle{1000};  // logging in, and TCP finding its rate
  static constexpr std::chrono::milliseconds kMeasure{1500};
  Time from_, start_{};
  std::uint64_t arrived_ = 0;
  double before_ = 0;
  bool measuring_ = false, over_ = false;
};

/// A file of this round, as far as we are with its hash.
struct Open {
  std::size_t index;
  Sha256 digest = {};
  std::uint64_t hashed = 0;
};

class Round {
 public:
  Round(CollectRun& run, std::vector<BigFile> files)
      : run_(run), files_(std::move(files)), work_(run.link, run.options, run.stamina, files_) {}

  Result<void> fetch() {
    const std::stop_callback pass_on(run_.stop, [this] { work_.halt.request_stop(); });
    std::vector<std::jthread> threads;
    struct Halt {  // before the threads are joined
      LaneWork& work;
      ~Halt() { work.halt.request_stop(); }
    } const halt{work_};
    if (auto opened = open_more(); !opened) return opened;
    for (std::size_t i = 0; i < kFirstLanes; ++i) add_lane(threads);
    threads.emplace_back([this] { ask_hashes(work_); });
    Growth growth(Stamina::Clock::now());
    Time saved = Stamina::Clock::now(), window = saved;
    std::uint64_t in_window = 0;
    while (!open_.empty() || next_ < files_.size()) {
      if (run_.stop.stop_requested())
        return fail({.code = Code::cancelled,
                     .what = "stopped on request",
                     .next_step = "collect again: it goes on where it stopped"});
      if (auto trouble = work_.trouble()) return fail(*std::move(trouble));
      hear_bytes();
      const Time now = Stamina::Clock::now();
      if (growth.wants_more(now, heard_, work_.lanes, work_.pieces.left()))
        for (std::size_t i = work_.lanes; i > 0; --i) add_lane(threads);
      if (now - window > run_.options.slow_window) {
        if (heard_ - in_window < 65'536 && !only_hashes_missing()) return fail(too_slow());
        in_window = heard_;
        window = now;
      }
      auto worked = turn();
      if (!worked) return fail(std::move(worked).error());
      if (now - saved > kSaveEvery) {
        for (const Open& o : open_)
          if (auto kept = files_[o.index].part->save(); !kept) return kept;
        saved = Stamina::Clock::now();
      }
      if (auto opened = open_more(); !opened) return opened;
      if (!*worked) std::this_thread::sleep_for(kTurn);
    }
    hear_bytes();
    return {};
  }

  /// Files that an earlier call had begun, and that turned out to be of another state.
  std::vector<Wanted*> again;

 private:
  static Error too_slow() {
    return {.code = Code::unavailable,
            .what = "the machine sends next to nothing",
            .next_step = "call again: it goes on where it stopped; or look at the machine with monitor"};
  }

  void add_lane(std::vector<std::jthread>& threads) {
    const bool first = work_.lanes++ == 0;
    threads.emplace_back([this, first] { fetch_pieces(work_, first); });
  }

  void hear_bytes() {
    const std::uint64_t now = work_.arrived;
    if (now > heard_) run_.bytes_came(now - std::exchange(heard_, now));
  }

  bool only_hashes_missing() const {
    for (const Open& o : open_)
      if (files_[o.index].part->prefix() < files_[o.index].wanted->entry.size) return false;
    return true;
  }

  /// Files get their parts shortly before their turn, so that few are open at once.
  Result<void> open_more() {
    while (next_ < files_.size() && open_.size() < kMostOpen &&
           work_.pieces.left() < kMostLanes * 2 * run_.options.piece) {
      const std::size_t i = next_++;
      BigFile& file = files_[i];
      Wanted& w = *file.wanted;
      auto part = run_.landings[w.source].resume(w.home, w.entry.size, w.entry.changed);
      if (!part) {
        run_.name(w, part.error().what);
        work_.drop(i, "named");
        continue;
      }
      file.part = *std::move(part);
      w.resumed = file.part->resumed();
      run_.to_fetch -= std::min(run_.to_fetch, w.resumed);
      work_.pieces.add(i, file.part->landed().missing(w.entry.size));
      open_.push_back({.index = i});
    }
    if (next_ == files_.size()) work_.pieces.no_more();
    return {};
  }

  /// Hashes what landed, and settles what is whole. Whether there was anything to do.
  Result<bool> turn() {
    bool worked = false;
    for (auto at = open_.begin(); at != open_.end();) {
      BigFile& file = files_[at->index];
      Wanted& w = *file.wanted;
      if (const std::string reason = work_.reason(at->index); !reason.empty()) {
        run_.name(w, reason);
        // A lane may still be writing: the part goes when this round ends.
        dropped_.push_back(at->index);
        at = open_.erase(at);
        continue;
      }
      auto hashed = hash_on(*at, file);
      if (!hashed) return fail(std::move(hashed).error());
      worked = worked || *hashed;
      const auto theirs = work_.hash_of(at->index);
      if (at->hashed < w.entry.size || !theirs) {
        ++at;
        continue;
      }
      if (auto settled = settle(file, at->digest.end(), *theirs); !settled)
        return fail(std::move(settled).error());
      at = open_.erase(at);
      worked = true;
    }
    return worked;
  }

  Result<bool> hash_on(Open& o, BigFile& file) {
    const std::uint64_t until = std::min(file.part->prefix(), o.hashed + kHashAtOnce);
    if (until == o.hashed) return false;
    while (o.hashed < until) {
      const auto room = std::min<std::uint64_t>(buffer_.size(), until - o.hashed);
      auto n = file.part->read(o.hashed, buffer_.data(), static_cast<std::size_t>(room));
      if (!n) return fail(std::move(n).error());
      o.digest.add({buffer_.data(), *n});
      o.hashed += *n;
    }
    return true;
  }

  Result<void> settle(BigFile& file, const std::string& ours, const std::string& theirs) {
    Wanted& w = *file.wanted;
    if (ours != theirs) {
      // Perhaps only what an earlier call left is wrong.
      if (w.resumed > 0)
        again.push_back(&w);
      else
        run_.name(w, kChanged);
      w.resumed = 0;
      file.part->drop();
      return {};
    }
    if (auto closed = file.part->close(w.entry.changed); !closed) return closed;
    run_.place(w, *file.part, ours);
    file.part.reset();
    return {};
  }

  CollectRun& run_;
  std::vector<BigFile> files_;
  LaneWork work_;
  std::list<Open> open_;
  std::vector<std::size_t> dropped_;
  std::size_t next_ = 0;
  std::uint64_t heard_ = 0;
  std::vector<char> buffer_ = std::vector<char>(1 << 20);

 public:
  ~Round() {
    for (const std::size_t i : dropped_)
      if (files_[i].part) files_[i].part->drop();
  }
  Round(const Round&) = delete;
  Round& operator=(const Round&) = delete;
};

}  // namespace

Result<void> fetch_big(CollectRun& run, const std::vector<Wanted*>& files) {
  std::vector<Wanted*> todo = files;
  for (int attempt = 0; attempt < 2 && !todo.empty(); ++attempt) {
    std::vector<BigFile> round_files;
    for (Wanted* w : todo) round_files.push_back({.wanted = w});
    run.stamina.moved();
    Round round(run, std::move(round_files));
    if (auto done = round.fetch(); !done) return fail(std::move(done).error().during("fetching results"));
    todo = std::move(round.again);
    for (const Wanted* w : todo) run.to_fetch += w->entry.size;
  }
  return {};
}

}  // namespace vastgpu
