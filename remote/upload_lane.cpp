#include "remote/upload_lane.h"

#include <algorithm>
#include <cstdio>

#include "core/text.h"
#include "remote/file_reading.h"
#include "remote/persist.h"

namespace vastgpu {
namespace {

// One lane that hears nothing for so long tries a new session; the others go on meanwhile.
constexpr std::chrono::seconds kLaneIdleLimit{20};
constexpr std::chrono::seconds kQuitLimit{5};
constexpr std::uint64_t kLeastPiece = 512 * 1024, kMostPiece = 16 * 1024 * 1024;
// A broken link loses what is on the way, so no more is on the way than keeps it busy: at 80 ms a quarter of
// a second, 1.2 % of the 20 seconds after which the worst links we know break again.
constexpr double kLeastSecondsInFlight = 0.1, kSpareSeconds = 0.05;
constexpr std::uint64_t kLeastWindow = 2 * kLeastPiece, kMostWindow = 64 * 1024 * 1024;
constexpr std::chrono::milliseconds kRateWindow{250};

bool is_link_trouble(const Error& e) { return e.code == Code::unavailable; }

}  // namespace

void UploadLanes::give_up(Error why) {
  {
    const std::lock_guard hold(lock_);
    if (!failure_) failure_ = std::move(why);
  }
  stop.request_stop();
}

std::optional<Error> UploadLanes::failure() const {
  const std::lock_guard hold(lock_);
  return failure_;
}

void UploadLanes::lane_ended() {
  const std::lock_guard hold(lock_);
  --running_;
  ended_.notify_all();
}

void UploadLanes::lane_starts() {
  const std::lock_guard hold(lock_);
  ++running_;
}

bool UploadLanes::wait_for_end(std::chrono::milliseconds at_most) {
  std::unique_lock hold(lock_);
  return ended_.wait_for(hold, at_most, [&] { return running_ == 0; });
}

bool UploadLanes::idle_for(std::chrono::seconds limit) const {
  return Clock::now().time_since_epoch() - Clock::duration(last_arrival) > limit;
}

void UploadLane::run(SshSession* first) {
  const std::stop_token stop = all_.stop.get_token();
  int refused = 0;
  Persistence persistence(kLinkIdleLimit);
  while (!all_.plan.done() && !stop.stop_requested()) {
    Result<void> worked{};
    {
      Patience patience(kLaneIdleLimit, stop);
      std::optional<HeldSession> own;
      SshSession* session = std::exchange(first, nullptr);
      if (session == nullptr) {
        auto opened = all_.link.another(patience);
        if (opened)
          session = &*own.emplace(*std::move(opened));
        else
          worked = fail(std::move(opened).error());
      }
      if (session != nullptr) {
        refused = 0;
        const auto before = all_.arrived.load();
        ++all_.open;
        worked = work(*session);
        --all_.open;
        give_all_back();
        if (all_.arrived > before) persistence.moved();
      } else {
        ++refused;
      }
    }
    if (worked) return;
    if (!is_link_trouble(worked.error())) return all_.give_up(std::move(worked).error());
    // Too many sessions for that server: the others do it without this one.
    if (refused >= 3 && all_.open > 0) return;
    if (all_.idle_for(kLinkIdleLimit) || !persistence.wait(stop)) {
      if (all_.open > 0) return;
      return all_.give_up(std::move(worked).error());
    }
    ++all_.reconnects;
  }
}

Result<void> UploadLane::work(SshSession& session) {
  Patience patience(kLaneIdleLimit, all_.stop.get_token(), Patience::Kind::idle);
  auto started = SshCommand::start(session, all_.script(id_), SshCommand::Output::read, 4096, patience);
  if (!started) return fail(std::move(started).error());
  machine_ = started->get();
  patience_ = &patience;
  counted_ = 0;
  counted_from_ = UploadLanes::Clock::now();
  while (!all_.plan.done()) {
    if (in_flight_bytes_ < window() || in_flight_.empty()) {
      if (const auto piece = all_.plan.take(piece_size())) {
        Sent& sent = in_flight_.emplace_back(Sent{*piece, 0, {}});
        auto put = piece->size == 0 ? send_name(*piece, sent) : send_piece(*piece, sent);
        if (!put) return put;
        sent.when = UploadLanes::Clock::now();
        if (auto read = take_answers(false); !read) return read;
        continue;
      }
    }
    if (in_flight_.empty()) {
      if (auto fine = patience.check(); !fine && patience.stop().stop_requested()) return fine;
      patience.moved();  // it is not the machine that we are waiting for
      all_.plan.wait_for_work(std::chrono::milliseconds(200));
    } else if (auto read = take_answers(true); !read) {
      return read;
    }
  }
  Patience brief(kQuitLimit, all_.stop.get_token());
  patience_ = &brief;
  Sent quit;
  if (auto put = this->put("q x 0 0 0\n", quit); !put) return {};  // everything has its name already
  (void)machine_->finish(brief);
  return {};
}

Result<void> UploadLane::put(std::string_view data, Sent& sent) {
  auto done = machine_->send(data, *patience_);
  if (done) {
    sent.on_wire += data.size();
    in_flight_bytes_ += data.size();
  }
  return done;
}

Result<void> UploadLane::send_piece(const UploadPiece& piece, Sent& sent) {
  const LargeFile& large = all_.plan.files()[piece.file];
  const auto file = WatchedFile::open(all_.tree, *large.file);
  bool whole = file.has_value();
  if (large.packed) {
    std::string raw(piece.size, '\0');
    whole = whole && file->read(piece.offset, raw) && file->unchanged();
    if (!whole) raw.assign(1, '\0');
    auto packed = pack_block(all_.packing, raw);
    if (!packed) return fail(std::move(packed).error());
    auto done =
        put(text("z ", large.key, " ", piece.offset, " ", packed->size(), " ", piece.size, "\n"), sent)
            .and_then([&] { return put(*packed, sent); });
    if (!done) return done;
  } else {
    if (auto done =
            put(text("w ", large.key, " ", piece.offset, " ", piece.size, " ", piece.size, "\n"), sent);
        !done)
      return done;
    for (std::uint64_t at = 0; at < piece.size;) {
      const std::span<char> part(buffer_.data(), std::min<std::uint64_t>(buffer_.size(), piece.size - at));
      whole = whole && file->read(piece.offset + at, part);
      if (auto done = put({part.data(), part.size()}, sent); !done) return done;
      at += part.size();
    }
    whole = whole && file->unchanged();
  }
  if (!whole) all_.plan.drop(piece.file);
  return put(whole ? ".\n" : "!\n", sent);
}

Result<void> UploadLane::send_name(const UploadPiece& piece, Sent& sent) {
  const LargeFile& large = all_.plan.files()[piece.file];
  const LocalFile& f = *large.file;
  char rest[64];
  std::snprintf(rest, sizeof rest, "%lld.%09ld %o", static_cast<long long>(f.changed.seconds),
                f.changed.nanoseconds, f.mode);
  return put(text("f ", large.key, " ", f.size, " ", f.path.size(), " ", rest, "\n", f.path, ".\n"), sent);
}

Result<void> UploadLane::take_answers(bool wait) {
  while (!in_flight_.empty() && (wait || !machine_->out.empty())) {
    char answers[256];
    auto got = machine_->read(answers, *patience_);
    if (!got) return fail(std::move(got).error());
    wait = false;
    if (*got == 0) {
      auto code = machine_->finish(*patience_);
      if (!code) return fail(std::move(code).error());
      const bool killed = *code == 5 || *code >= 128;
      return fail(
          {.code = killed ? Code::unavailable : Code::wrong_state,
           .what = text("the machine could not store a piece (", *code, "): ", clean_line(machine_->err)),
           .next_step = "check its free disk space and that it has dd and stat",
           .effect = Effect::unknown});
    }
    for (std::size_t i = 0; i < *got && !in_flight_.empty(); ++i) {
      if (answers[i] != '\n') continue;
      const Sent sent = in_flight_.front();
      in_flight_.pop_front();
      note_arrival(sent);
    }
  }
  return {};
}

void UploadLane::note_arrival(const Sent& sent) {
  const auto now = UploadLanes::Clock::now();
  in_flight_bytes_ -= sent.on_wire;
  all_.last_arrival = now.time_since_epoch().count();
  all_.arrived += sent.piece.size;
  all_.meter.add(sent.piece.size);
  all_.plan.arrived(sent.piece);
  if (sent.when != UploadLanes::Clock::time_point())
    round_trip_ = std::min(round_trip_, std::chrono::duration<double>(now - sent.when).count());
  counted_ += sent.on_wire;
  const double span = std::chrono::duration<double>(now - counted_from_).count();
  if (now - counted_from_ < kRateWindow) return;
  const double latest = static_cast<double>(counted_) / span;
  rate_ = std::max(latest, 0.7 * rate_ + 0.3 * latest);
  counted_ = 0;
  counted_from_ = now;
}

void UploadLane::give_all_back() {
  for (const Sent& sent : in_flight_) {
    all_.sent_again += sent.on_wire;
    all_.plan.give_back(sent.piece);
  }
  in_flight_.clear();
  in_flight_bytes_ = 0;
  machine_ = nullptr;
}

/// Enough to keep the link busy until the answers come, and not more.
std::uint64_t UploadLane::window() const {
  if (rate_ == 0) return 2 * kLeastWindow;  // before anything is measured
  const double seconds = std::max(kLeastSecondsInFlight, kSpareSeconds + 2 * std::min(round_trip_, 1.0));
  return static_cast<std::uint64_t>(
      std::clamp(rate_ * seconds, static_cast<double>(kLeastWindow), static_cast<double>(kMostWindow)));
}

/// About 50 ms of this lane.
std::uint64_t UploadLane::piece_size() const {
  const std::uint64_t size = std::clamp(window() / 5, kLeastPiece, kMostPiece);
  return size - size % (64 * 1024);
}

}  // namespace vastgpu
