#include "remote/shell.h"

namespace vastgpu {

void to_json(json& j, const Receipt& r) {
  json files = json::array();
  for (const ReceiptFile& f : r.files)
    files.push_back({{"path", f.path}, {"folder", f.folder}, {"size", f.size}, {"sha256", f.sha256}});
  j = {{"files", std::move(files)},
       {"bytes", r.bytes},
       {"fetched", r.fetched},
       {"problems", r.problems},
       {"complete", r.complete}};
}

std::map<std::string, std::string> known_files(const json& receipt, const std::string& remote_folder) {
  std::map<std::string, std::string> known;
  const auto files = receipt.is_object() ? receipt.find("files") : receipt.end();
  if (!receipt.is_object() || files == receipt.end() || !files->is_array()) return known;
  for (const json& f : *files) {
    const auto path = read_field<std::string>(f, "path");
    const auto hash = read_field<std::string>(f, "sha256");
    if (path && hash && read_field<std::string>(f, "folder") == remote_folder) known[*path] = *hash;
  }
  return known;
}

}  // namespace vastgpu
