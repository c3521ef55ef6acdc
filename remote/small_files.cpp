#include "remote/small_files.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <vector>

#include "core/crash_point.h"
#include "core/text.h"
#include "remote/file_reading.h"
#include "remote/persist.h"
#include "remote/ssh_command.h"

namespace vastgpu {
namespace {

// One more round trip each: 6 % of the time it takes at 200 Mbit/s and 80 ms.
constexpr std::uint64_t kFirstBatch = 64'000'000;
constexpr std::uint64_t kLeastBatch = 1'000'000;

/// Sends one file's content; false when it is not what was announced.
Result<bool> pack_file(TarWriter& tar, const LocalTree& tree, const LocalFile& f,
                       const std::function<void(std::uint64_t)>& told) {
  const auto file = WatchedFile::open(tree, f);
  if (!file) return false;
  if (auto begun = tar.begin("f/" + f.path, f.size, f.changed, f.mode); !begun)
    return fail(std::move(begun).error());
  // Made by the threads that pack: an array here would be part of every thread, and of an idle server's memory.
  static thread_local std::vector<char> buffer(std::size_t{256} * 1024);
  for (std::uint64_t sent = 0; sent < f.size;) {
    const std::span<char> part(buffer.data(), std::min<std::uint64_t>(buffer.size(), f.size - sent));
    if (!file->read(sent, part)) return false;
    if (auto packed = tar.data({part.data(), part.size()}); !packed) return fail(std::move(packed).error());
    sent += part.size();
    told(part.size());
  }
  return file->unchanged();
}

struct Batch {
  std::span<const LocalFile* const> files;
  bool last = false;  ///< carries modes and names
};

struct Outcome {
  std::vector<const LocalFile*> dropped;
  std::size_t taken = 0;  ///< files of the batch that travelled, dropped ones included
  bool ended = false;     ///< before the batch was through
  std::size_t deleted = 0;
};

class Sender {
 public:
  Sender(const SyncPlace& place, const LocalTree& tree, const SmallPlan& plan, Packing packing,
         UploadMeter& meter, const std::stop_token& stop)
      : place_(place), tree_(tree), plan_(plan), packing_(packing), meter_(meter), stop_(stop) {}

  Result<Outcome> send(SshSession& session, const Batch& batch, std::unique_ptr<SshCommand> waiting) {
    Patience patience(kLinkIdleLimit, stop_, Patience::Kind::idle);
    const bool waits = waiting != nullptr;
    Result<std::unique_ptr<SshCommand>> started = std::move(waiting);
    if (!waits)
      started = SshCommand::start(
          session, receiver(place_, unpack_program(packing_), plan_.delete_extra && batch.last),
          SshCommand::Output::kept, 4096, patience);
    if (!started) return fail(std::move(started).error());
    SshCommand& machine = **started;
    if (waits)
      if (auto told = machine.send("go\n", patience); !told) return fail(std::move(told).error());
    auto tar = TarWriter::open(
        packing_,
        [&](std::string_view piece) {
          const CrashPoints crash("ssh");
          return machine.send(piece, patience);
        },
        plan_.far && packing_ == Packing::zstd ? 3 : 1);
    if (!tar) return fail(std::move(tar).error());
    Outcome out;
    std::uint64_t counted = 0;
    auto ended = fill(*tar, batch, out, counted);
    auto code = ended ? machine.finish(patience) : fail(std::move(ended).error());
    if (!code) {
      meter_.take_back(counted);
      return fail(std::move(code).error().during("sending files"));
    }
    if (*code != 0)
      return fail(
          {.code = Code::wrong_state,
           .what = text("the machine could not store the files (", *code, "): ", clean_line(machine.err)),
           .next_step = "check its free disk space and that it has tar",
           .effect = Effect::unknown});
    out.deleted = static_cast<std::size_t>(std::strtoul(machine.out.c_str(), nullptr, 10));
    return out;
  }

 private:
  Result<void> fill(TarWriter& tar, const Batch& batch, Outcome& out, std::uint64_t& counted) {
    std::string dropped;
    for (const LocalFile* f : batch.files) {
      out.ended = plan_.enough && plan_.enough();
      if (out.ended) break;
      ++out.taken;
      auto whole = pack_file(tar, tree_, *f, [&](std::uint64_t n) {
        meter_.add(n);
        counted += n;
        meter_.tell();
      });
      if (!whole) return fail(std::move(whole).error());
      if (*whole) continue;
      dropped.append("./").append(f->path).append(1, '\0');
      out.dropped.push_back(f);
    }
    if (batch.last && !out.ended) {
      std::string modes;
      for (const LocalFile* f : plan_.modes) {
        char octal[16];
        std::snprintf(octal, sizeof octal, "%o", f->mode);
        modes.append(octal).append(1, '\0').append("./").append(f->path).append(1, '\0');
      }
      if (!modes.empty())
        if (auto put = entry(tar, "modes", modes); !put) return put;
      if (auto put = entry(tar, "names", names_of(tree_)); !put) return put;
    }
    return entry(tar, "end", dropped).and_then([&] { return tar.close(); });
  }
  static Result<void> entry(TarWriter& tar, const char* name, const std::string& content) {
    return tar.begin(name, content.size(), {}, 0600).and_then([&] { return tar.data(content); });
  }

  const SyncPlace& place_;
  const LocalTree& tree_;
  const SmallPlan& plan_;
  Packing packing_;
  UploadMeter& meter_;
  const std::stop_token& stop_;
};

/// Alike files stand together: they pack better.
std::vector<const LocalFile*> by_kind(std::vector<const LocalFile*> files) {
  const auto ending = [](const LocalFile* f) {
    const auto dot = f->path.find_last_of("./");
    return std::string_view(f->path).substr(dot == std::string::npos ? f->path.size() : dot);
  };
  std::stable_sort(files.begin(), files.end(),
                   [&](const LocalFile* a, const LocalFile* b) { return ending(a) < ending(b); });
  return files;
}

Packing worth_packing(Packing packing, const LocalTree& tree, const std::vector<const LocalFile*>& files) {
  constexpr std::size_t kSamples = 16;
  std::string sample;
  for (std::size_t i = 0; i < std::min(kSamples, files.size()); ++i)
    sample += sample_of(tree, *files[i * files.size() / std::min(kSamples, files.size())], 64 * 1024);
  return sample.empty() || pays_to_pack(packing, sample) ? packing : Packing::none;
}

}  // namespace

/// Receives a tar with f/<path>..., perhaps `modes` and `names`, and `end`, which comes last and lists what
/// must not be kept. Only then do files get their names, each by a rename within one file system; a folder
/// that is new over there moves as a whole. Prints how many files it deleted.
std::string receiver(const SyncPlace& place, const std::string& unpack, bool delete_extra) {
  const std::string keep_placed =
      delete_extra
          ? "if [ -f \"$N.placed\" ]; then\n"
            "  comm -z -23 -- \"$N.placed\" \"$T/names\" >\"$T/gone\" || exit 7\n"
            "  (cd -- \"$D\" && xargs -0 -r rm -f -- <\"$T/gone\")\n"
            "  tr -cd '\\000' <\"$T/gone\" | wc -c\nfi\n"
            "cp -- \"$T/names\" \"$W\" && mv -f -- \"$W\" \"$N.placed\" || exit 0\n"
          : "P=$N.placed; [ -f \"$P\" ] || P=/dev/null\n"
            "sort -z -m -u -- \"$P\" \"$T/names\" >\"$W\" && mv -f -- \"$W\" \"$N.placed\" || exit 0\n";
  return text(
      "LC_ALL=C; export LC_ALL; umask 022\n", "mkdir -p -- ", shell_quote(place.folder), " && cd -- ",
      shell_quote(place.folder), " || exit 3\n", "N=", shell_quote(place.notes),
      "; D=$(pwd); T=\"$D/.vast-gpu-incoming-", random_hex(8), "\"\n", "mkdir -m 700 -- \"$T\" || exit 3\n",
      "trap 'rm -rf -- \"$T\"' EXIT\n", unpack, " | ", "tar -xpf - -C \"$T\"",
      " --no-same-owner --warning=no-unknown-keyword || exit 4\n",
      "[ -f \"$T/end\" ] || { echo 'the transfer was cut off' >&2; exit 5; }\n", "place() {\n",
      "  find \"$1\" -maxdepth 1 -type f -exec mv -f -t \"$D/$1\" -- {} + || exit 6\n",
      "  for s in \"$1\"/* \"$1\"/.[!.]* \"$1\"/..?*; do\n", "    [ -d \"$s\" ] || continue\n",
      "    if [ -d \"$D/$s\" ]; then place \"$s\"; else mv -fT -- \"$s\" \"$D/$s\" || exit 6; fi\n",
      "  done\n}\n", "if cd -- \"$T/f\" 2>/dev/null; then xargs -0 -r rm -f -- <../end; place .; fi\n",
      "cd -- \"$D\" || exit 3\n",
      "[ -f \"$T/modes\" ] && xargs -0 -r -n 2 chmod -- <\"$T/modes\" 2>/dev/null\n",
      // Without notes everything still works, with more bytes.
      "[ -f \"$T/names\" ] && mkdir -p -m 700 -- \"${N%/*}\" 2>/dev/null || exit 0\n", "W=\"$N.new.$$\"\n",
      keep_placed, "cp -- \"$T/names\" \"$W\" && mv -f -- \"$W\" \"$N.names\"\nexit 0");
}

Result<void> send_small(SshLink& link, const SyncPlace& place, const LocalTree& tree, const SmallPlan& plan,
                        Packing packing, std::unique_ptr<SshCommand> waiting, UploadMeter& meter,
                        const std::stop_token& stop, SyncReport& report) {
  const std::vector<const LocalFile*> files = by_kind(plan.files);
  const Packing chosen = worth_packing(packing, tree, files);
  // The link lets go of a broken session, and what runs on it has to go first.
  if (chosen != packing || (waiting && !waiting->link_holds())) waiting.reset();
  Sender sender(place, tree, plan, chosen, meter, stop);
  std::uint64_t room = kFirstBatch;
  std::size_t at = 0;
  do {
    Batch batch;
    const auto choose = [&] {
      std::size_t end = at;
      for (std::uint64_t size = 0; end < files.size() && (end == at || size + files[end]->size <= room);
           ++end)
        size += files[end]->size;
      batch = {std::span(files).subspan(at, end - at), end == files.size()};
    };
    choose();
    auto sent = persist<Outcome>(
        link, stop,
        [&] {
          ++report.reconnects;
          room = std::max(room / 2, kLeastBatch);
          choose();
        },
        [&](SshSession& session) {
          if (!waiting) ++report.round_trips;
          return sender.send(session, batch, std::move(waiting));
        });
    if (!sent) return fail(std::move(sent).error());
    for (const LocalFile* f : batch.files.first(sent->taken)) {
      ++report.sent_files;
      report.sent_bytes += f->size;
    }
    for (const LocalFile* f : sent->dropped) {
      --report.sent_files;
      report.sent_bytes -= f->size;
      --report.files;
      report.stayed.missed = true;
      if (report.stayed.named.size() < 50)
        report.stayed.named.push_back(clean_line(f->path) + ": changed or went away while it was read");
    }
    report.deleted += sent->deleted;
    if (sent->ended) {
      report.complete = false;
      return {};
    }
    at += batch.files.size();
  } while (at < files.size());
  return {};
}

}  // namespace vastgpu
