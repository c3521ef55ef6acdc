#include "remote/remote_listing.h"

#include <algorithm>
#include <charconv>

#include "core/text.h"
#include "remote/machine_tools.h"
#include "remote/ssh_shell.h"

namespace vastgpu {
namespace {

constexpr std::size_t kMostEntries = 100'000;
constexpr std::size_t kMostBytes = 64'000'000;
constexpr std::chrono::seconds kIdleLimit{
    120};  // a cold disk with many files takes a while to its first answer

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
  script +=
      "one() {\n"  // folder, depth
      "  if [ -d \"$1/\" ]; then\n"
      "    find \"$1/\" -mindepth 1 -maxdepth \"$2\" ! -type d -printf '%y %Y %s %T@ %P\\0%l\\0'\n"
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
               changed = take_word(*record);
    const auto time = parse_file_time(changed.value_or("?"));
    RemoteEntry e;
    if (!link || !time || type->size() != 1 || target->size() != 1 || !parse_number(*size, e.size))
      return fail(nonsense(clean_line(*record)));
    e.type = type->front();
    e.target_type = target->front();
    e.changed = *time;
    e.path = *record;
    e.link = *link;
    folder.entries.push_back(std::move(e));
    if (++entries > kMostEntries) return folder;
  }
}

std::string nul_separated(const std::vector<std::string>& paths) {
  std::string out;
  for (const std::string& p : paths) out.append(p).append(1, '\0');
  return out;
}

}  // namespace

Result<RemoteListing> list_folders(SshSession& session, const std::vector<CollectSource>& sources,
                                   const std::stop_token& stop) {
  Patience patience(kIdleLimit, stop, Patience::Kind::idle);
  auto answer = run_command(session, listing_script(sources), "", kMostBytes, patience);
  if (!answer) return fail(std::move(answer).error().during("listing results"));
  RemoteListing listing;
  listing.too_large = answer->out.size() >= kMostBytes || answer->truncated;
  if (listing.too_large) return listing;
  std::string_view rest = answer->out;
  const auto packing = take_record(rest);
  if (!packing) return fail(nonsense(clean_line(answer->err)));
  listing.packing = parse_packing(*packing);
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

Result<std::map<std::string, std::string>> hash_on_machine(SshSession& session,
                                                           const std::vector<std::string>& paths,
                                                           std::uint64_t largest,
                                                           const std::stop_token& stop) {
  // sha256sum says something after each file; a slow disk reads the largest at 20 MB/s.
  const auto reading = std::chrono::seconds(std::min<std::uint64_t>(largest / 20'000'000, 3600));
  Patience patience(kIdleLimit + reading, stop, Patience::Kind::idle);
  const std::string script = "LC_ALL=C xargs -0 -r sha256sum -z -- 2>/dev/null; :";
  auto answer = run_command(session, script, nul_separated(paths), 2 * kMostBytes, patience);
  if (!answer) return fail(std::move(answer).error().during("hashing results on the machine"));
  std::map<std::string, std::string> hashes;
  std::string_view rest = answer->out;
  while (const auto record = take_record(rest)) {
    if (record->size() < 67 || record->find_first_not_of("0123456789abcdef") != 64)
      return fail(nonsense(clean_line(*record)));
    hashes[std::string(record->substr(66))] = record->substr(0, 64);
  }
  return hashes;
}

Result<std::map<std::string, SizeAndTime>> look_again(SshSession& session,
                                                      const std::vector<std::string>& paths,
                                                      const std::stop_token& stop) {
  Patience patience(kIdleLimit, stop, Patience::Kind::idle);
  const std::string script = "LC_ALL=C xargs -0 -r stat --printf='%F/%s %.9Y %n\\0' -- 2>/dev/null; :";
  auto answer = run_command(session, script, nul_separated(paths), 2 * kMostBytes, patience);
  if (!answer) return fail(std::move(answer).error().during("looking at the results again"));
  std::map<std::string, SizeAndTime> seen;
  std::string_view rest = answer->out;
  while (auto record = take_record(rest)) {
    if (!record->starts_with("regular ")) continue;  // "regular file" or "regular empty file"
    record->remove_prefix(std::min(record->size(), record->find('/') + 1));
    const auto size = take_word(*record), changed = take_word(*record);
    const auto time = parse_file_time(changed.value_or("?"));
    SizeAndTime now;
    if (!size || !time || !parse_number(*size, now.size)) return fail(nonsense(clean_line(*record)));
    now.changed = *time;
    seen[std::string(*record)] = now;
  }
  return seen;
}

}  // namespace vastgpu
