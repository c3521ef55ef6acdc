#include "fleet/upload.h"

#include <set>

#include "analysis/analyse.h"
#include "core/files.h"
#include "core/text.h"
#include "fleet/guard.h"
#include "fleet/requirements.h"
#include "remote/globs.h"
#include "remote/local_tree.h"
#include "remote/secrets.h"

namespace vastgpu {
namespace {

namespace fs = std::filesystem;

constexpr const char* kRemoteData = "/workspace/data";
constexpr const char* kDataEvent = "upload";
constexpr std::size_t kMostPaths = 100;
constexpr double kBytesOfGb = 1e9;

Error bad_path(const std::string& path, const std::string& why) {
  return {.code = Code::invalid_argument,
          .what = "data path " + clean_line(path) + ": " + why,
          .next_step = "name an existing file or folder, e.g. data/train"};
}

fs::path resolve(const fs::path& project, const std::string& path) {
  if (path == "~" || path.starts_with("~/"))
    return (home_folder() / path.substr(std::min<std::size_t>(2, path.size()))).lexically_normal();
  return (project / path).lexically_normal();  // an absolute one replaces the project
}

/// The part of `path` below `folder`; empty when it is not below.
std::string below(const fs::path& folder, const fs::path& path) {
  std::string inner = path.lexically_relative(folder).string();
  while (inner.ends_with('/')) inner.pop_back();
  return inner == "." || inner == ".." || inner.starts_with("../") ? "" : inner;
}

std::string escaped(const std::string& name) {
  std::string pattern = "/";
  for (const char c : name) {
    if (c == '*' || c == '?' || c == '[' || c == '\\') pattern += '\\';
    pattern += c;
  }
  return pattern;
}

/// @param trusted  the caller named it, not a file of the project
Result<UploadPart> data_part(const fs::path& project, const std::string& path, bool trusted) {
  std::error_code bad;
  fs::path at = resolve(project, path);
  if (!at.has_filename()) at = at.parent_path();
  const fs::path real = fs::canonical(at, bad);
  if (bad) return fail(bad_path(path, "there is no such file or folder"));
  const std::string inside = below(project, at);
  const fs::path real_project = fs::canonical(project, bad);
  if (real == real_project || !below(real, real_project).empty())
    return fail(bad_path(path, "holds the whole project"));
  if (!trusted && (inside.empty() || below(real_project, real).empty()))
    return fail(
        bad_path(path, "lies outside the project; to send it, name it in the argument `data` of setup"));
  const bool is_folder = fs::is_directory(real, bad);
  if (!is_folder && !fs::is_regular_file(real, bad)) return fail(bad_path(path, "is no file and no folder"));
  const std::string name = at.filename().string();
  // The project itself may well stand in a worktree below such a folder.
  const std::string real_inside = below(real_project, real);
  const std::vector<std::string> steps = split(real_inside.empty() ? real.string() : real_inside, '/');
  for (std::size_t i = 0; i < steps.size(); ++i)
    if (may_hold_secrets(steps[i], is_folder || i + 1 < steps.size()))
      return fail(bad_path(path, "may hold secrets, which never travel"));

  UploadPart part;
  part.name = path;
  part.rules.max_file = part.rules.max_total = UINT64_MAX;
  const std::string target =
      inside.empty() ? std::string(kRemoteData) + "/" + name : std::string(kRemoteProject) + "/" + inside;
  if (is_folder) {
    part.local = real;
    part.remote = target;
    part.rules.include = {"*"};
  } else {
    part.local = at.parent_path();
    part.remote = target.substr(0, target.rfind('/'));
    part.rules.include = {escaped(name)};
    part.rules.recursive = false;
  }
  return part;
}

Result<UploadPart> code_part(const fs::path& project, const UploadRequest& request) {
  UploadPart part{.name = "code", .local = project, .remote = kRemoteProject, .rules = default_sync_rules()};
  auto requirements = read_requirements(project);
  if (!requirements) return fail(std::move(requirements).error());
  if (*requirements) {
    const Globs known(part.rules.include);
    for (const std::string& file : (*requirements)->files)
      if (!known.matches_file(file)) part.rules.include.push_back(escaped(file));
  }
  part.rules.delete_extra = request.delete_extra;
  part.rules.max_total = kMostCode;
  part.rules.max_file = kMostCodeFile;
  if (request.max_gb) {
    const auto limit = static_cast<std::uint64_t>(*request.max_gb * kBytesOfGb);
    part.rules.max_total = std::max(kMostCode, limit);
    part.rules.max_file = std::max(kMostCodeFile, limit);
  }
  return part;
}

Result<void> measure(UploadPart& part, std::uint64_t limit, const std::stop_token& stop) {
  SyncRules rules = part.rules;
  rules.max_total = std::min(rules.max_total, limit);
  auto tree = walk_tree(part.local, rules, stop);
  if (!tree) return fail(std::move(tree).error().during(clean_line(part.name)));
  part.files = tree->files.size();
  part.bytes = tree->bytes;
  return {};
}

}  // namespace

SyncRules default_sync_rules() {
  SyncRules rules;
  rules.include = {"*.py", "*.yaml", "*.yml", "*.json", "*.txt", "*.sh", "*.toml", "*.cfg", "*.ini", "*.md"};
  // Hidden files are settings of assistants and editors, caches and history.
  rules.exclude = {".*",           "*.pt",          "*.pth",  "*.ckpt", "*.safetensors", ".*/",
                   "__pycache__/", ".git/",         "data/",  "wandb/", "outputs/",      "results/",
                   "logs/",        "node_modules/", ".venv/", "venv/",  "refine-logs/"};
  rules.ignore_files = true;
  return rules;
}

Result<Upload> plan_upload(const fs::path& project, const UploadRequest& request, std::stop_token stop) {
  if (request.data.size() > kMostPaths)
    return fail(bad_path("list", text("has more than ", kMostPaths, " entries")));
  Upload upload;
  auto code = code_part(project, request);
  if (!code) return fail(std::move(code).error());
  upload.parts.push_back(*std::move(code));
  std::set<std::string> targets;
  const auto add = [&](UploadPart part) -> Result<void> {
    const std::string target = part.rules.recursive ? part.remote : part.remote + part.rules.include.front();
    if (!targets.insert(target).second)
      return fail(bad_path(part.name, "another path goes to the same place, " + target));
    upload.parts.push_back(std::move(part));
    return {};
  };
  for (const std::string& path : request.data) {
    auto part = data_part(project, path, true);
    if (!part) return fail(std::move(part).error());
    if (auto added = add(*std::move(part)); !added) return fail(std::move(added).error());
  }
  for (const std::string& path : read_project_settings(project).data) {
    auto part = data_part(project, path, false);
    auto added = part ? add(*part) : fail(part.error());
    if (added || part) continue;  // the same path may well stand in both
    upload.remarks.push_back(clean_line(added.error().what));
  }

  const std::uint64_t limit =
      request.max_gb ? static_cast<std::uint64_t>(*request.max_gb * kBytesOfGb) : kMostData;
  std::uint64_t total = 0;
  for (UploadPart& part : upload.parts) {
    const bool is_code = &part == &upload.parts.front();
    if (auto measured = measure(part, is_code ? UINT64_MAX : limit, stop); !measured)
      return fail(std::move(measured).error());
    total += part.bytes;
  }
  if (upload.parts.size() > 1 && total > std::max(limit, kMostCode))
    return fail({.code = Code::invalid_argument,
                 .what = text(bytes(total), " would travel, more than the limit of ", bytes(limit), ": ",
                              to_words(upload)),
                 .next_step = text("confirm with max_upload_gb ",
                                   fixed(static_cast<double>(total) / 1e9 + 0.1, 1), ", or name less")});
  return upload;
}

std::string to_words(const Upload& upload) {
  std::vector<std::string> parts;
  for (const UploadPart& p : upload.parts) {
    const bool code = &p == &upload.parts.front();
    parts.push_back(text(code ? "" : clean_line(p.name) + ": ", p.files,
                         p.files == 1 ? " file, " : " files, ", bytes(p.bytes), code ? " of code" : ""));
  }
  return join(parts, "; ");
}

Result<void> note_upload(const Deps& d, const std::string& label, const UploadRequest& request) {
  if (request.data.empty() && !request.max_gb) return {};
  json detail = {{"data", request.data}};
  if (request.max_gb) detail["max_upload_gb"] = *request.max_gb;
  auto before = noted_upload(d, label);
  if (before && before->data == request.data && before->max_gb == request.max_gb) return {};
  return d.ledger.add_event({d.clock.now(), kDataEvent, label, detail});
}

Result<UploadRequest> noted_upload(const Deps& d, const std::string& label) {
  auto events = d.ledger.events(label);
  if (!events) return fail(std::move(events).error());
  UploadRequest request;
  for (const LedgerEvent& e : *events) {
    if (e.kind != kDataEvent) continue;
    request.data.clear();
    for (const json& path : e.detail.value("data", json::array()))
      if (path.is_string()) request.data.push_back(path.get<std::string>());
    request.max_gb.reset();
    if (e.detail.contains("max_upload_gb") && e.detail["max_upload_gb"].is_number())
      request.max_gb = e.detail["max_upload_gb"].get<double>();
  }
  return request;
}

}  // namespace vastgpu
