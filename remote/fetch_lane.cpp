#include "remote/fetch_lane.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <memory>

#include "core/text.h"
#include "remote/collect_run.h"
#include "remote/machine_tools.h"
#include "remote/ssh_command.h"
#include "remote/time_limit.h"

namespace vastgpu {
namespace {

constexpr std::size_t kAskedAhead = 2;         // pieces, so that the link has work while the next dd starts
constexpr std::chrono::seconds kLaneIdle{20};  // other lanes go on meanwhile; then this one starts again

/// Requests are two lines: the path, then offset and length. Exactly `length` bytes answer each, zeros where
/// the file has become shorter, and a line: bytes that were there, size and time of the file now.
constexpr const char* kScript = R"sh(LC_ALL=C; export LC_ALL; exec 3>&1
while IFS= read -r F && read -r o n; do
  g=$(dd if="$F" iflag=skip_bytes,count_bytes,fullblock skip="$o" count="$n" bs=256K 2>&1 >&3 | tail -n 1)
  g=${g%% *}
  case $g in ''|*[!0-9]*) g=0;; esac
  [ "$g" -ge "$n" ] || head -c $((n-g)) /dev/zero >&3
  printf '%s %s\n' "$g" "$(stat -c '%s %.9Y' -- "$F" 2>/dev/null)" >&3
done)sh";

template <class N>
bool parse(std::string_view s, N& n) {
  const auto [end, bad] = std::from_chars(s.data(), s.data() + s.size(), n);
  return bad == std::errc() && end == s.data() + s.size();
}

/// One connection's worth of fetching.
class Lane {
 public:
  Lane(LaneWork& work, SshSession& session) : work_(work), session_(session) {}
  ~Lane() {
    for (const Asked& a : asked_) work_.pieces.give_back(a.rest);
  }
  bool moved() const { return moved_; }
  bool own_fault() const { return own_fault_; }  ///< the disk here, or nonsense: another link does not help

  Result<void> run() {
    const auto idle = std::min<std::chrono::milliseconds>(kLaneIdle, work_.options.idle);
    Patience patience(idle, work_.halt.get_token(), Patience::Kind::idle);
    // What libssh2 holds for all lanes together has to stay small.
    const std::size_t window = work_.lanes >= 4 ? 2 << 20 : SshCommand::kReceiveWindow;
    auto started = SshCommand::start(session_, kScript, SshCommand::Output::read, 4096, patience, window);
    if (!started) return fail(std::move(started).error());
    machine_ = *std::move(started);
    for (;;) {
      if (auto asked = ask(patience); !asked) return asked;
      if (asked_.empty()) {
        if (!work_.pieces.wait(work_.halt.get_token())) break;
        patience.moved();
        continue;
      }
      if (auto got = receive(asked_.front(), patience); !got) return got;
      work_.pieces.done(asked_.front().rest);
      asked_.pop_front();
    }
    if (work_.halt.stop_requested()) return {};
    auto code = machine_->finish(patience);
    return {};  // all is here, whatever became of the command
  }

 private:
  struct Asked {
    FetchPiece rest;
    std::uint64_t length;
  };

  Result<void> ask(Patience& patience) {
    while (asked_.size() < kAskedAhead) {
      const auto piece = work_.pieces.take(work_.lanes);
      if (!piece) return {};
      asked_.push_back({*piece, piece->range.size()});
      const std::string line = text(work_.files[piece->file].wanted->remote, "\n", piece->range.from, " ",
                                    piece->range.size(), "\n");
      if (auto sent = machine_->send(line, patience); !sent) return sent;
    }
    return {};
  }

  Result<void> receive(Asked& a, Patience& patience) {
    BigFile& file = work_.files[a.rest.file];
    while (a.rest.range.size() > 0) {
      const auto room = std::min<std::uint64_t>(buffer_.size(), a.rest.range.size());
      auto got = machine_->read({buffer_.data(), static_cast<std::size_t>(room)}, patience);
      if (!got) return fail(std::move(got).error());
      if (*got == 0) return fail(ended());
      work_.stamina.moved();
      work_.arrived += *got;
      moved_ = true;
      // What follows after a change is of no use, and may be zeros.
      if (!work_.pieces.dropped(a.rest.file))
        if (auto written = file.part->write(a.rest.range.from, {buffer_.data(), *got}); !written) {
          own_fault_ = true;
          return written;
        }
      a.rest.range.from += *got;
    }
    return look(a, patience);
  }

  /// "4194304 16777216 1700000000.123456789"
  Result<void> look(const Asked& a, Patience& patience) {
    std::string line;
    for (char c = 0; c != '\n';) {
      auto got = machine_->read({&c, 1}, patience);
      if (!got) return fail(std::move(got).error());
      if (*got == 0) return fail(ended());
      line += c;
      if (line.size() > 100) {
        own_fault_ = true;
        return fail({.code = Code::corrupt,
                     .what = "the machine sends more of a file than was asked for",
                     .next_step = "look at it with monitor; it may be broken or hostile"});
      }
    }
    line.pop_back();
    std::string_view rest = line;
    const auto sent = take_word(rest), size = take_word(rest);
    const auto time = parse_file_time(rest);
    std::uint64_t n = 0, now = 0;
    const RemoteEntry& entry = work_.files[a.rest.file].wanted->entry;
    if (!sent || !size || !time || !parse(*sent, n) || !parse(*size, now) || n != a.length ||
        now != entry.size || *time != entry.changed)
      work_.drop(a.rest.file, std::string(kChanged));
    return {};
  }

  static Error ended() {
    return {.code = Code::unavailable,
            .what = "the machine ended in the middle of a file",
            .next_step = "call again: it goes on where it stopped"};
  }

  LaneWork& work_;
  SshSession& session_;
  std::unique_ptr<SshCommand> machine_;
  std::deque<Asked> asked_;
  std::array<char, 64 * 1024> buffer_{};
  bool moved_ = false, own_fault_ = false;
};

/// Opens links and works on them until `step` says that it is done.
template <class Step>
void keep_at_it(LaneWork& work, bool first, Step step) {
  constexpr int kMostBreaks = 8;  // in a row, without a byte: a machine that lets us in only to hang up
  const auto stop = work.halt.get_token();
  for (int attempt = 0, breaks = 0; !stop.stop_requested();) {
    Error why;
    {
      Patience patience(work.stamina.for_connecting(), stop);
      std::optional<HeldSession> held;
      SshSession* session = nullptr;
      if (first) {
        if (auto at_hand = work.link.session(patience))
          session = *at_hand;
        else
          why = std::move(at_hand).error();
      } else if (auto another = work.link.another(patience)) {
        held.emplace(*std::move(another));
        session = &**held;
      } else {
        why = std::move(another).error();
      }
      if (session != nullptr) {
        bool moved = false;
        auto done = step(*session, moved);
        if (done) return;
        why = std::move(done).error();
        breaks = moved ? 1 : breaks + 1;
        if (moved) attempt = 0;
        if (breaks >= kMostBreaks && why.code == Code::unavailable) return work.fail_all(std::move(why));
        // Hashing is silent for as long as it takes; the link was there until now.
        if (why.code == Code::unavailable && session->broken()) work.stamina.moved();
        if (!session->broken() && why.code == Code::unavailable) (void)session->broke("fetching");
      }
    }
    if (auto waited = work.stamina.pause(++attempt, std::move(why), stop); !waited) {
      if (!stop.stop_requested()) work.fail_all(std::move(waited).error());
      return;
    }
  }
}

}  // namespace

void fetch_pieces(LaneWork& work, bool first) {
  keep_at_it(work, first, [&](SshSession& session, bool& moved) -> Result<void> {
    const auto lane = std::make_unique<Lane>(work, session);
    auto done = lane->run();
    moved = lane->moved();
    if (done || !lane->own_fault()) return done;
    work.fail_all(std::move(done).error());
    return {};
  });
}

void ask_hashes(LaneWork& work) {
  keep_at_it(work, false, [&](SshSession& session, bool& moved) -> Result<void> {
    std::vector<std::string> paths;
    std::map<std::string, std::size_t> asked;
    std::uint64_t total = 0, largest = 0;
    for (std::size_t i = 0; i < work.files.size(); ++i) {
      if (work.hash_of(i) || work.pieces.dropped(i)) continue;
      const Wanted& w = *work.files[i].wanted;
      paths.push_back(w.remote);
      asked[w.remote] = i;
      total += w.entry.size;
      largest = std::max(largest, w.entry.size);
    }
    if (paths.empty()) return {};
    const std::string names = nul_separated(paths);
    TimeLimit limit(hashing_time(total) + 5 * work.options.slow_window, work.halt.get_token());
    // sha256sum says something after each file only.
    Patience patience(work.options.idle + hashing_time(largest), limit.token(), Patience::Kind::idle);
    auto machine = SshCommand::start(session, "LC_ALL=C xargs -0 -r sha256sum -z -- 2>/dev/null; :",
                                     SshCommand::Output::read, 4096, patience);
    if (!machine) return fail(limit.explain(std::move(machine).error()));
    (*machine)->send_meanwhile(names);
    std::string heard;
    std::array<char, 4096> buffer;
    for (;;) {
      auto got = (*machine)->read(buffer, patience);
      if (!got) return fail(limit.explain(std::move(got).error()));
      if (*got == 0) break;
      heard.append(buffer.data(), *got);
      std::string_view rest = heard;
      for (;;) {
        auto record = take_hash(rest);
        if (!record) return fail(std::move(record).error());
        if (!*record) break;
        const auto at = asked.find(std::string((*record)->path));
        if (at == asked.end()) continue;
        const std::scoped_lock hold(work.mutex);
        work.hashes[at->second] = (*record)->sha256;
        moved = true;
      }
      heard.erase(0, heard.size() - rest.size());
      if (heard.size() > 16'384)
        return fail({.code = Code::corrupt,
                     .what = "the machine's hashes make no sense",
                     .next_step = "check that its image has GNU sha256sum"});
    }
    auto code = (*machine)->finish(patience);
    if (!code) return fail(limit.explain(std::move(code).error()));
    for (const auto& [path, i] : asked)
      if (!work.hash_of(i)) work.drop(i, "cannot be read on the machine, or went away");
    return {};
  });
}

}  // namespace vastgpu
