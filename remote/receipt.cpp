#include "remote/shell.h"

#include <set>

namespace vastgpu {
namespace {

const char* word(CheckedFile::Verdict v) {
  switch (v) {
    case CheckedFile::Verdict::ok:
      return "ok";
    case CheckedFile::Verdict::failed:
      return "failed";
    case CheckedFile::Verdict::not_possible:
      break;
  }
  return "not_possible";
}

json to_entry(const ReceiptFile& f) {
  json j{{"path", f.path}, {"folder", f.folder}, {"size", f.size}, {"sha256", f.sha256}};
  // Absent is the plain case, so that a long receipt stays readable.
  if (!f.times.empty()) j["times"] = f.times;
  if (f.relied) j["machine_hash_from"] = "last receipt: size and times unchanged";
  if (f.resumed > 0) j["resumed_bytes"] = f.resumed;
  if (!f.note.empty()) j["note"] = f.note;
  if (!f.home.empty()) j["home"] = f.home;
  if (f.found) j["found_at_home"] = true;
  return j;
}

const json& entries(const json& receipt, const char* list) {
  static const json none = json::array();
  if (!receipt.is_object()) return none;
  const auto found = receipt.find(list);
  return found != receipt.end() && found->is_array() ? *found : none;
}

}  // namespace

void to_json(json& j, const Receipt& r) {
  json files = json::array();
  for (const ReceiptFile& f : r.files) files.push_back(to_entry(f));
  j = {{"files", std::move(files)},
       {"bytes", r.bytes},
       {"fetched", r.fetched},
       {"problems", r.problems},
       {"complete", r.complete}};
  if (r.checked.empty()) return;
  j["checked"] = json::array();
  for (const CheckedFile& c : r.checked)
    j["checked"].push_back(
        {{"path", c.path}, {"folder", c.folder}, {"result", word(c.verdict)}, {"words", c.words}});
}

std::map<std::string, KnownFile> known_files(const json& receipt, const std::string& remote_folder) {
  std::map<std::string, KnownFile> known;
  for (const char* list : {"earlier", "files"})
    for (const json& f : entries(receipt, list)) {
      const auto path = read_field<std::string>(f, "path");
      const auto hash = read_field<std::string>(f, "sha256");
      if (!path || !hash || read_field<std::string>(f, "folder") != remote_folder) continue;
      known[*path] = {.sha256 = *hash,
                      .times = read_field<std::string>(f, "times").value_or(""),
                      .size = read_field<std::uint64_t>(f, "size").value_or(0),
                      .home = read_field<std::string>(f, "home").value_or(""),
                      .found = read_field<bool>(f, "found_at_home").value_or(false)};
    }
  return known;
}

json left_out(const json& earlier, const json& receipt) {
  std::set<std::pair<std::string, std::string>> named;
  const auto name_of = [](const json& f) {
    return std::pair(read_field<std::string>(f, "folder").value_or(""),
                     read_field<std::string>(f, "path").value_or(""));
  };
  for (const json& f : entries(receipt, "files")) named.insert(name_of(f));
  json left = json::array();
  for (const char* list : {"files", "earlier"})
    for (const json& f : entries(earlier, list))
      if (named.insert(name_of(f)).second) left.push_back(f);
  return left;
}

}  // namespace vastgpu
