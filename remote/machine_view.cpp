#include "remote/machine_view.h"

#include <sys/stat.h>

#include <charconv>
#include <cstdio>

#include "core/crash_point.h"
#include "core/files.h"
#include "core/text.h"
#include "remote/ssh_shell.h"
#include "remote/upload_lane.h"

namespace vastgpu {
namespace {

using State = MachineView::State;

constexpr std::chrono::seconds kIdleLimit{60};  // nothing moved for so long: the link is as good as dead
constexpr std::size_t kLongestAnswer = 32 * 1024 * 1024;  // 200,000 files take 12 MB unpacked
constexpr const char* kStat = "xargs -0 -r stat --printf='%s %.9Y %f %n\\0' --";

Error odd_answer(const std::string& what) {
  return {.code = Code::corrupt,
          .what = "the machine's list of files makes no sense: " + what,
          .next_step = "check that its image has GNU find, xargs, stat and sha256sum"};
}

/// What stat prints when everything is there as it is here.
std::string expected_lines(const LocalTree& tree) {
  std::string out;
  char numbers[96];
  for (const LocalFile& f : tree.files) {
    std::snprintf(numbers, sizeof numbers, "%llu %lld.%09ld %x ./", static_cast<unsigned long long>(f.size),
                  static_cast<long long>(f.changed.seconds), f.changed.nanoseconds,
                  static_cast<unsigned>(S_IFREG) | f.mode);
    out.append(numbers).append(f.path).append(1, '\0');
  }
  return out;
}

State compare(const LocalFile& f, std::uint64_t size, FileTime changed, unsigned mode) {
  // Some file systems keep whole seconds only.
  const bool same_time =
      changed == f.changed || (changed.nanoseconds == 0 && changed.seconds == f.changed.seconds);
  if (!S_ISREG(mode) || size != f.size || !same_time) return State::missing;
  return (mode & 0777) == f.mode ? State::there : State::other_mode;
}

/// Both sides are in order of their paths.
Result<void> read_lines(std::string_view lines, const LocalTree& tree, std::vector<State>& files) {
  std::size_t at = 0;
  for (;;) {
    auto record = take_record(lines);
    if (!record) return fail(odd_answer("it has no end"));
    if (*record == "END") return {};
    const auto size = take_word(*record), changed = take_word(*record), mode = take_word(*record);
    std::uint64_t bytes = 0;
    unsigned bits = 0;
    const auto time = parse_file_time(changed.value_or(""));
    if (!size || !mode || !record->starts_with("./") ||
        std::from_chars(size->data(), size->data() + size->size(), bytes).ec != std::errc() ||
        std::from_chars(mode->data(), mode->data() + mode->size(), bits, 16).ec != std::errc())
      return fail(odd_answer(clean_line(*record)));
    const std::string_view path = record->substr(2);
    while (at < tree.files.size() && tree.files[at].path < path) ++at;
    if (at < tree.files.size() && tree.files[at].path == path)
      files[at] = time ? compare(tree.files[at], bytes, *time, bits) : State::missing;
  }
}

/// $T the folder, $N our notes, $1 and $2 the hashes of names and lines, $3 whether deletions are asked for,
/// receive() what goes on where nothing is there.
/// Answers records that end with NUL: packing, free bytes, state and whether the names are ours, how many
/// files are to be deleted, journals by name, END; then perhaps the packed lines of stat.
constexpr const char* kLook = R"sh(
LC_ALL=C; export LC_ALL
look() { xargs -0 -r stat --printf='%s %.9Y %f %n\0' -- <"$N.names" 2>/dev/null; }
p=$T; while [ ! -d "$p" ] && [ "$p" != / ] && [ "$p" != . ]; do p=$(dirname -- "$p"); done
printf '%s\0' "$P" "$(df --output=avail -B1 -- "$p" 2>/dev/null | tail -n 1)"
cd -- "$T" 2>/dev/null || { printf '%s\0' absent0 0 END; receive; exit 0; }
# A transfer that died an hour ago is not going to finish.
find . -maxdepth 1 -type d -name '.vast-gpu-incoming-*' -mmin +60 -exec rm -rf -- {} + 2>/dev/null
s=unknown; k=0; x=0
if [ -f "$N.names" ]; then
  s=lines
  [ "$(sha256sum <"$N.names")" = "$1  -" ] && k=1
  [ $k = 1 ] && [ "$(look | sha256sum)" = "$2  -" ] && s=same
elif [ -z "$(find . -mindepth 1 -maxdepth 1 ! -name '.vast-gpu-*' -print -quit)" ]; then
  s=absent
fi
[ "$3$k" = 11 ] && [ -f "$N.placed" ] &&
  x=$(comm -z -23 -- "$N.placed" "$N.names" | tr -cd '\000' | wc -c)
printf '%s\0' "$s$k" "$x"
if cd .vast-gpu-parts 2>/dev/null; then
  for L in *.lane; do  # of a process of ours that is gone
    L=${L%.lane}
    end_lane
    rm -f -- "$L.lane"
  done
  find . -type f -mmin +10080 -exec rm -f -- {} + 2>/dev/null
  # What was half there when the host went down may be a hole: its journal holds for one boot only.
  if [ "$(cat boot 2>/dev/null)" = "$(cat /proc/sys/kernel/random/boot_id 2>/dev/null)" ]; then
    for j in *.have; do [ -f "$j" ] && { printf '%s\0' "$j"; cat -- "$j"; printf '\0'; }; done
  else
    rm -f -- *.part *.have boot
  fi
  cd ..
fi
printf 'END\0'
[ $s = lines ] && { look; printf 'END\0'; } | $Q
[ $s = absent ] && receive
exit 0
)sh";

std::string ask_script(const SyncPlace& place, const LocalTree& tree, const SyncRules& rules,
                       const std::string& receiver) {
  return text(can_pack(Packing::zstd)
                  ? "if command -v zstd >/dev/null 2>&1; then P=zstd; Q='zstd -1qc'; U='zstd -dcq'; el"
                  : "",
              "if command -v gzip >/dev/null 2>&1; then P=gzip; Q='gzip -1c'; U='gzip -dc'; ",
              "else P=none; Q=cat; U=cat; fi\nreceive() {\n",
              receiver.empty() ? "exit 0" : "read -r go || exit 0\n", receiver, "\n}\n",
              "T=", shell_quote(place.folder), "; N=", shell_quote(place.notes), "\nset -- ",
              sha256_hex(names_of(tree)), " ", sha256_hex(expected_lines(tree)), " ",
              rules.delete_extra ? 1 : 0, "\nend_lane() {", kEndLane, "}", kLook);
}

}  // namespace

const char* pack_program(Packing packing) {
  return packing == Packing::zstd ? "zstd -1qc" : packing == Packing::gzip ? "gzip -1c" : "cat";
}
const char* unpack_program(Packing packing) {
  return packing == Packing::zstd ? "zstd -dcq" : packing == Packing::gzip ? "gzip -dc" : "cat";
}

SyncPlace sync_place(const std::string& folder, const SyncRules& rules) {
  // Other globs are another list: two kinds of files in one folder do not push each other out of it.
  std::string all = folder;
  for (const std::string& pattern : rules.include) all.append(1, '\0').append(pattern);
  return {folder, rules.notes_folder + "/" + sha256_hex(all).substr(0, 24)};
}

std::string names_of(const LocalTree& tree) {
  std::string names;
  for (const LocalFile& f : tree.files) names.append("./").append(f.path).append(1, '\0');
  return names;
}

namespace {

/// Reads until `enough` says so, or to the end; false at the end.
Result<bool> read_until(SshCommand& machine, std::string& heard,
                        const std::function<bool(const std::string&)>& enough, Patience& patience) {
  std::vector<char> buffer(64 * 1024);
  for (;;) {
    auto got = machine.read(buffer, patience);
    if (!got) return fail(std::move(got).error());
    if (*got == 0) return false;
    heard.append(buffer.data(), *got);
    if (heard.size() > kLongestAnswer) return fail(odd_answer("it is too long"));
    if (enough(heard)) return true;
  }
}

/// The state is the third record; where nothing is there, END follows at once.
bool says_absent(const std::string& heard) {
  std::string_view rest = heard;
  (void)take_record(rest);
  (void)take_record(rest);
  const auto state = take_record(rest), extra = take_record(rest);
  if (!state || !extra || !state->starts_with("absent")) return false;
  while (const auto record = take_record(rest))
    if (*record == "END") return true;
  return false;
}

}  // namespace

Result<MachineView> ask_machine(SshSession& session, const SyncPlace& place, const LocalTree& tree,
                                const SyncRules& rules, const std::string& receiver, std::stop_token stop) {
  const CrashPoints crash("ssh");
  const auto failed = [](Error e) { return fail(std::move(e).during("asking what is there already")); };
  Patience patience(kIdleLimit, std::move(stop), Patience::Kind::idle);
  auto asked = SshCommand::start(session, ask_script(place, tree, rules, receiver), SshCommand::Output::read,
                                 4096, patience);
  if (!asked) return failed(std::move(asked).error());
  std::string heard;
  const auto never = [](const std::string&) { return false; };
  auto goes_on = receiver.empty() ? read_until(**asked, heard, never, patience)
                                  : read_until(**asked, heard, says_absent, patience);
  if (!goes_on) return failed(std::move(goes_on).error());
  MachineView view;
  if (*goes_on)
    view.waiting = *std::move(asked);
  else if (auto ended = (*asked)->finish(patience); !ended)
    return failed(std::move(ended).error());
  const std::string& err = view.waiting ? view.waiting->err : (*asked)->err;

  std::string_view rest = heard;
  const auto packing = take_record(rest), free = take_record(rest), state = take_record(rest),
             extra = take_record(rest);
  if (!packing || !free || !state || !extra || state->empty()) return fail(odd_answer(clean_line(err)));
  view.packing = parse_packing(*packing);
  const std::string_view number = trim(*free);
  std::uint64_t room = 0;
  if (std::from_chars(number.data(), number.data() + number.size(), room).ec == std::errc()) view.free = room;
  std::from_chars(extra->data(), extra->data() + extra->size(), view.to_delete);
  const std::string_view word = state->substr(0, state->size() - 1);
  view.names_known = state->back() == '1';
  for (;;) {
    const auto name = take_record(rest);
    if (!name) return fail(odd_answer("it has no end"));
    if (*name == "END") break;
    const auto journal = take_record(rest);
    if (!journal || !name->ends_with(".have")) return fail(odd_answer("a journal is cut"));
    view.journals.emplace(name->substr(0, name->size() - 5), *journal);
  }
  const State all = word == "same" ? State::there : word == "absent" ? State::missing : State::unknown;
  view.files.assign(tree.files.size(), all);
  if (word == "lines") {
    auto lines = unpack_block(view.packing, rest, kLongestAnswer);
    if (!lines) return fail(std::move(lines).error());
    if (auto read = read_lines(*lines, tree, view.files); !read) return fail(std::move(read).error());
  }
  return view;
}

Result<void> ask_unknown(SshSession& session, const SyncPlace& place, const LocalTree& tree,
                         MachineView& view, std::stop_token stop) {
  std::string names;
  for (std::size_t i = 0; i < tree.files.size(); ++i)
    if (view.files[i] == State::unknown) names.append("./").append(tree.files[i].path).append(1, '\0');
  auto packed = pack_block(view.packing, names);
  if (!packed) return fail(std::move(packed).error());
  const std::string script = text("LC_ALL=C; export LC_ALL\ncd -- ", shell_quote(place.folder),
                                  " || exit 3\n", unpack_program(view.packing), " | { ", kStat,
                                  " 2>/dev/null; printf 'END\\0'; } | ", pack_program(view.packing));
  Patience patience(kIdleLimit, std::move(stop), Patience::Kind::idle);
  auto answer = run_command(session, script, *packed, kLongestAnswer, patience);
  if (!answer) return fail(std::move(answer).error().during("asking what is there already"));
  if (answer->truncated || answer->exit_code != 0) return fail(odd_answer(clean_line(answer->err)));
  auto lines = unpack_block(view.packing, answer->out, kLongestAnswer);
  if (!lines) return fail(std::move(lines).error());
  auto read = read_lines(*lines, tree, view.files);
  for (State& s : view.files)
    if (s == State::unknown) s = State::missing;
  return read;
}

}  // namespace vastgpu
