#include "remote/shell.h"

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
  return j;
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
  const auto files = receipt.is_object() ? receipt.find("files") : receipt.end();
  if (!receipt.is_object() || files == receipt.end() || !files->is_array()) return known;
  for (const json& f : *files) {
    const auto path = read_field<std::string>(f, "path");
    const auto hash = read_field<std::string>(f, "sha256");
    if (!path || !hash || read_field<std::string>(f, "folder") != remote_folder) continue;
    known[*path] = {*hash, read_field<std::string>(f, "times").value_or(""),
                    read_field<std::uint64_t>(f, "size").value_or(0)};
  }
  return known;
}

}  // namespace vastgpu
