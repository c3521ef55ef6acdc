#include "remote/remote_listing.h"

#include <algorithm>
#include <charconv>

#include "core/text.h"
#include "remote/bounded_answer.h"
#include "remote/machine_tools.h"

namespace vastgpu {
namespace {

constexpr std::size_t kMostEntries = 100'000;
constexpr std::size_t kMostBytes = 24'000'000;
// As much as a disk may say; more would make 100,000 of them overflow a sum.
constexpr std::uint64_t kMostSize = std::uint64_t{1} << 46;

Error nonsense(const std::string& what) {
  return {.code = Code::corrupt,
          .what = "the machine's list of results makes no sense: " + what,
          .next_step = "check that its image has GNU find, xargs, stat and sha256sum"};
}

template <class N>
bool parse_number(std::string_view s, N& n) {
  const auto [end, bad] = std::from_chars(s.data(), s.data() + s.size(), n);
  return bad == std::errc() && end == s.data() + s.size();
}

std::string listing_script(const std::vector<CollectSource>& sources) {
  std::string script = "LC_ALL=C; export LC_ALL\n";
  script += kAskPacking;
  script += "stat -f -c '%a %S' " + shell_quote(sources.empty() ? "/" : sources.front().remote_folder) +
            " / 2>/dev/null | head -n 1\nprintf '\\0'\n";
  script +=
      "one() {\n"  // folder, depth
      "  if [ -d \"$1/\" ]; then\n"
      "    find \"$1/\" -mindepth 1 -maxdepth \"$2\" ! -type d -printf '%y %Y %s %T@ %C@ %P\\0%l\\0'\n"
      "    printf 'END %s\\0' $?\n"
      "  elif [ -e \"$1\" ]; then printf 'END file\\0'\n"
      "  else printf 'END 0\\0'; fi\n"
      "}\n{\n";
  for (const CollectSource& s : sources)
    script += "one " + shell_quote(s.remote_folder) + (s.recursive ? " 1000\n" : " 1\n");
  return script + text("printf 'DONE\\0'; } | head -c ", kMostBytes);
}

/// One folder's records, up to its END.
Result<RemoteFolder> parse_folder(std::string_view& rest, std::size_t& entries) {
  RemoteFolder folder;
  for (;;) {
    auto record = take_record(rest);
    if (!record) return fail(nonsense("it has no end"));
    if (record->starts_with("END ")) {
      const auto code = record->substr(4);
      if (code == "file")
        folder.trouble = "it is not a folder";
      else if (code != "0")
        folder.trouble = "parts of it could not be read";
      return folder;
    }
    const auto link = take_record(rest);
    const auto type = take_word(*record), target = take_word(*record), size = take_word(*record),
               changed = take_word(*record), entered = take_word(*record);
    const auto time = parse_file_time(changed.value_or("?"));
    RemoteEntry e;
    if (!link || !time || !parse_file_time(entered.value_or("?")) || type->size() != 1 ||
        target->size() != 1 || !parse_number(*size, e.size) || e.size > kMostSize)
      return fail(nonsense(clean_line(*record)));
    e.times = text(*changed, " ", *entered);
    e.type = type->front();
    e.target_type = target->front();
    e.changed = *time;
    e.path = *record;
    e.link = *link;
    folder.entries.push_back(std::move(e));
    if (++entries > kMostEntries) return folder;
  }
}

/// "12345 4096" of stat -f: blocks that may be written, and their size.
std::optional<std::uint64_t> parse_room(std::string_view words) {
  const auto blocks = take_word(words);
  std::uint64_t n = 0, size = 0;
  if (!words.empty() && words.back() == '\n') words.remove_suffix(1);
  if (!blocks || !parse_number(*blocks, n) || !parse_number(words, size) || size > (1 << 30) ||
      n > (std::uint64_t{1} << 34))
    return std::nullopt;
  return n * size;
}

}  // namespace

Result<RemoteListing> list_folders(SshSession& session, const std::vector<CollectSource>& sources,
                                   const CollectOptions& options, const std::stop_token& stop) {
  // A cold disk with many files takes a while to its first answer.
  const Bounds bounds{kMostBytes, 2 * options.idle, 5 * options.slow_window};
  auto answer = ask(session, listing_script(sources), "", bounds, stop);
  if (!answer) return fail(std::move(answer).error().during("listing results"));
  RemoteListing listing;
  listing.too_large = answer->too_much;
  if (listing.too_large) return listing;
  std::string_view rest = answer->out;
  const auto packing = take_record(rest), room = take_record(rest);
  if (!packing || !room) return fail(nonsense(clean_line(answer->err)));
  listing.packing = parse_packing(*packing);
  listing.room = parse_room(*room);
  std::size_t entries = 0;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    auto folder = parse_folder(rest, entries);
    if (!folder) return fail(std::move(folder).error());
    listing.too_large = entries > kMostEntries;
    if (listing.too_large) return listing;
    listing.folders.push_back(*std::move(folder));
  }
  if (take_record(rest) != "DONE") return fail(nonsense("it goes on after its end"));
  return listing;
}

Result<std::optional<HashRecord>> take_hash(std::string_view& rest) {
  const auto record = take_record(rest);
  if (!record) return std::optional<HashRecord>();
  if (record->size() < 67 || record->find_first_not_of("0123456789abcdef") != 64)
    return fail(nonsense(clean_line(*record)));
  return std::optional(HashRecord{record->substr(0, 64), record->substr(66)});
}

Result<std::optional<LookRecord>> take_look(std::string_view& rest) {
  const auto whole = take_record(rest);
  if (!whole) return std::optional<LookRecord>();
  std::string_view record = *whole;
  LookRecord seen;
  seen.regular = record.starts_with("regular ");  // "regular file" or "regular empty file"
  record.remove_prefix(std::min(record.size(), record.find('/') + 1));
  const auto size = take_word(record), changed = take_word(record);
  const auto time = parse_file_time(changed.value_or("?"));
  if (!size || !time || !parse_number(*size, seen.now.size)) return fail(nonsense(clean_line(*whole)));
  seen.now.changed = *time;
  seen.path = record;
  return std::optional(seen);
}

std::string nul_separated(const std::vector<std::string>& paths) {
  std::string out;
  for (const std::string& p : paths) out.append(p).append(1, '\0');
  return out;
}

Result<std::map<std::string, std::string>> hash_on_machine(SshSession& session,
                                                           const std::vector<std::string>& paths,
                                                           std::uint64_t total, const CollectOptions& options,
                                                           const std::stop_token& stop) {
  const Bounds bounds{2 * kMostBytes, options.idle + hashing_time(total),
                      5 * options.slow_window + hashing_time(total)};
  const std::string script = "LC_ALL=C xargs -0 -r sha256sum -z -- 2>/dev/null; :";
  auto answer = ask(session, script, nul_separated(paths), bounds, stop);
  if (!answer) return fail(std::move(answer).error().during("hashing results on the machine"));
  if (answer->too_much) return fail(nonsense("hashes without end"));
  std::map<std::string, std::string> hashes;
  std::string_view rest = answer->out;
  for (;;) {
    auto record = take_hash(rest);
    if (!record) return fail(std::move(record).error());
    if (!*record) return hashes;
    hashes[std::string((*record)->path)] = (*record)->sha256;
  }
}

Result<std::map<std::string, SizeAndTime>> look_again(SshSession& session,
                                                      const std::vector<std::string>& paths,
                                                      const CollectOptions& options,
                                                      const std::stop_token& stop) {
  const Bounds bounds{2 * kMostBytes, options.idle, 5 * options.slow_window};
  const std::string script = text("LC_ALL=C xargs -0 -r stat --printf='", kLookFormat, "' -- 2>/dev/null; :");
  auto answer = ask(session, script, nul_separated(paths), bounds, stop);
  if (!answer) return fail(std::move(answer).error().during("looking at the results again"));
  if (answer->too_much) return fail(nonsense("looks without end"));
  std::map<std::string, SizeAndTime> seen;
  std::string_view rest = answer->out;
  for (;;) {
    auto record = take_look(rest);
    if (!record) return fail(std::move(record).error());
    if (!*record) return seen;
    if ((*record)->regular) seen[std::string((*record)->path)] = (*record)->now;
  }
}

}  // namespace vastgpu
