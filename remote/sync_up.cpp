#include "remote/sync_up.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <unordered_map>

#include "core/crash_point.h"
#include "core/text.h"
#include "remote/archive.h"
#include "remote/local_tree.h"
#include "remote/machine_tools.h"
#include "remote/ssh_command.h"
#include "remote/ssh_shell.h"

namespace vastgpu {
namespace {

constexpr std::chrono::seconds kIdleLimit{60};  // nothing moved for so long: the link is as good as dead
constexpr std::size_t kLargestManifest = 64 * 1024 * 1024;

struct Remote {
  std::uint64_t size = 0;
  FileTime changed;
  bool regular = false;
  bool executable = false;
};

struct Manifest {
  Packing packing = Packing::none;
  std::unordered_map<std::string, Remote> files;
};

Error odd_answer(const std::string& what) {
  return {.code = Code::corrupt,
          .what = "the machine's list of files makes no sense: " + what,
          .next_step = "check that its image has GNU find, xargs and stat"};
}

/// What the machine has of the files that we would send; it is asked about nothing else.
Result<Manifest> ask_manifest(SshSession& session, const std::string& remote, const LocalTree& tree,
                              const std::stop_token& stop) {
  std::string names;
  for (const LocalFile& f : tree.files) names.append("./").append(f.path).append(1, '\0');
  const std::string script = text(
      "LC_ALL=C; export LC_ALL\n", kAskPacking, "cd -- ", shell_quote(remote),
      " 2>/dev/null || { printf 'END\\0'; exit 0; }\n",
      // A transfer that died an hour ago is not going to finish.
      "find . -maxdepth 1 -type d -name '.vast-gpu-incoming-*' -mmin +60 -exec rm -rf -- {} + 2>/dev/null\n",
      "xargs -0 -r stat --printf='%s %.9Y %f %n\\0' -- 2>/dev/null\nprintf 'END\\0'");
  Patience patience(kIdleLimit, stop, Patience::Kind::idle);
  auto answer = run_command(session, script, names, kLargestManifest, patience);
  if (!answer) return fail(std::move(answer).error().during("asking what is there already"));

  Manifest manifest;
  std::string_view rest = answer->out;
  const auto packing = take_record(rest);
  if (!packing) return fail(odd_answer(clean_line(answer->err)));
  manifest.packing = parse_packing(*packing);
  for (;;) {
    auto record = take_record(rest);
    if (!record) return fail(odd_answer("it has no end"));
    if (*record == "END") return manifest;
    const auto size = take_word(*record), changed = take_word(*record), mode = take_word(*record);
    Remote r;
    unsigned bits = 0;
    const auto time = parse_file_time(changed.value_or(""));
    if (!size || !mode || !time || !record->starts_with("./") ||
        std::from_chars(size->data(), size->data() + size->size(), r.size).ec != std::errc() ||
        std::from_chars(mode->data(), mode->data() + mode->size(), bits, 16).ec != std::errc())
      return fail(odd_answer(clean_line(*record)));
    r.changed = *time;
    r.regular = S_ISREG(bits);
    r.executable = (bits & 0100) != 0;
    manifest.files.emplace(record->substr(2), r);
  }
}

bool is_there(const Manifest& manifest, const LocalFile& f) {
  const auto at = manifest.files.find(f.path);
  if (at == manifest.files.end()) return false;
  const Remote& r = at->second;
  // Some file systems keep whole seconds only.
  const bool same_time =
      r.changed == f.changed || (r.changed.nanoseconds == 0 && r.changed.seconds == f.changed.seconds);
  return r.regular && r.size == f.size && same_time && r.executable == ((f.mode & 0100) != 0);
}

/// Receives a tar with f/<path>... and `end`, which comes last and lists what must not be kept. Only then do
/// files get their names, each by a rename within one file system; a folder that is new over there moves as a
/// whole.
std::string receiver(const std::string& remote, Packing packing) {
  const char* unpack = packing == Packing::zstd   ? "zstd -dcq | tar -xpf -"
                       : packing == Packing::gzip ? "gzip -dc | tar -xpf -"
                                                  : "tar -xpf -";
  return text("LC_ALL=C; export LC_ALL; umask 022\n", "mkdir -p -- ", shell_quote(remote), " && cd -- ",
              shell_quote(remote), " || exit 3\n", "D=$(pwd); T=\"$D/.vast-gpu-incoming-", random_hex(8),
              "\"\n", "mkdir -m 700 -- \"$T\" || exit 3\n", "trap 'rm -rf -- \"$T\"' EXIT\n", unpack,
              " -C \"$T\" --no-same-owner --warning=no-unknown-keyword || exit 4\n",
              "[ -f \"$T/end\" ] || { echo 'the transfer was cut off' >&2; exit 5; }\n",
              "cd -- \"$T/f\" 2>/dev/null || exit 0\n", "xargs -0 -r rm -f -- < ../end\n", "place() {\n",
              "  find \"$1\" -maxdepth 1 -type f -exec mv -f -t \"$D/$1\" -- {} + || exit 6\n",
              "  for s in \"$1\"/* \"$1\"/.[!.]* \"$1\"/..?*; do\n", "    [ -d \"$s\" ] || continue\n",
              "    if [ -d \"$D/$s\" ]; then place \"$s\"; else mv -fT -- \"$s\" \"$D/$s\" || exit 6; fi\n",
              "  done\n", "}\nplace .");
}

/// Sends one file's content; false when it is not what was announced.
Result<bool> pack_file(TarWriter& tar, const LocalFile& f, const std::function<void(std::uint64_t)>& told) {
  const Fd fd(::open(f.real.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW));
  struct stat before {};
  if (!fd || ::fstat(fd.get(), &before) != 0 || !S_ISREG(before.st_mode)) return false;
  const auto is_same = [&](const struct stat& s) {
    return static_cast<std::uint64_t>(s.st_size) == f.size && s.st_mtim.tv_sec == f.changed.seconds &&
           s.st_mtim.tv_nsec == f.changed.nanoseconds;
  };
  if (!is_same(before)) return false;
  if (auto begun = tar.begin("f/" + f.path, f.size, f.changed, f.mode); !begun)
    return fail(std::move(begun).error());
  static thread_local std::array<char, 256 * 1024> buffer;
  std::uint64_t sent = 0;
  while (sent < f.size) {
    const ssize_t n = ::read(fd.get(), buffer.data(), std::min<std::uint64_t>(buffer.size(), f.size - sent));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    if (auto packed = tar.data({buffer.data(), static_cast<std::size_t>(n)}); !packed)
      return fail(std::move(packed).error());
    sent += static_cast<std::uint64_t>(n);
    told(static_cast<std::uint64_t>(n));
  }
  struct stat after {};
  return ::fstat(fd.get(), &after) == 0 && is_same(after);
}

Result<void> send_files(SshSession& session, const std::string& remote,
                        const std::vector<const LocalFile*>& files, Packing packing,
                        const ProgressFn& progress, const std::stop_token& stop, SyncReport& report) {
  std::uint64_t total = 0;
  for (const LocalFile* f : files) total += f->size;
  Patience patience(kIdleLimit, stop, Patience::Kind::idle);
  auto started =
      SshCommand::start(session, receiver(remote, packing), SshCommand::Output::kept, 4096, patience);
  if (!started) return fail(std::move(started).error().during("sending files"));
  SshCommand& machine = **started;
  auto tar = TarWriter::open(packing, [&](std::string_view piece) {
    const CrashPoints crash("ssh");
    return machine.send(piece, patience);
  });
  if (!tar) return fail(std::move(tar).error());

  std::string dropped;
  std::uint64_t done = 0;
  const auto told = [&](std::uint64_t n) {
    done += n;
    if (progress)
      progress(total == 0 ? 1.0 : static_cast<double>(done) / static_cast<double>(total),
               text("sending ", bytes(done), " of ", bytes(total)));
  };
  for (const LocalFile* f : files) {
    auto whole = pack_file(*tar, *f, told);
    if (!whole) return fail(std::move(whole).error().during("sending files"));
    if (*whole) {
      ++report.sent_files;
      report.sent_bytes += f->size;
    } else {
      dropped.append("./").append(f->path).append(1, '\0');
      --report.files;
      if (report.left_out.size() < 50)
        report.left_out.push_back(clean_line(f->path) + ": changed or went away while it was read");
    }
  }
  auto ended =
      tar->begin("end", dropped.size(), {}, 0644).and_then([&] { return tar->data(dropped); }).and_then([&] {
        return tar->close();
      });
  if (!ended) return fail(std::move(ended).error().during("sending files"));
  auto code = machine.finish(patience);
  if (!code) return fail(std::move(code).error().during("sending files"));
  if (*code != 0)
    return fail(
        {.code = Code::wrong_state,
         .what = text("the machine could not store the files (", *code, "): ", clean_line(machine.err)),
         .next_step = "check its free disk space and that it has tar",
         .effect = Effect::unknown});
  return {};
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
  report.left_out = std::move(tree->left_out);
  if (progress) progress(0, text(report.files, " files, ", bytes(tree->bytes)));

  Patience patience(kIdleLimit, stop);
  auto session = link.session(patience);
  if (!session) return fail(std::move(session).error());
  auto manifest = ask_manifest(**session, remote, *tree, stop);
  if (!manifest) return fail(std::move(manifest).error());
  std::vector<const LocalFile*> missing;
  for (const LocalFile& f : tree->files)
    if (!is_there(*manifest, f)) missing.push_back(&f);
  if (!missing.empty())
    if (auto sent = send_files(**session, remote, missing, manifest->packing, progress, stop, report); !sent)
      return fail(std::move(sent).error());
  if (progress) progress(1, text(report.sent_files, " of ", report.files, " files sent"));
  return report;
}

}  // namespace vastgpu
