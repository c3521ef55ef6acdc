#include "state/instance_file.h"

#include "core/clock.h"
#include "core/files.h"
#include "core/text.h"
#include "state/instance_edit.h"
#include "state/lock.h"
#include "state/replacement.h"

namespace vastgpu {
namespace {

namespace fs = std::filesystem;

constexpr Duration kLockLimit =
    std::chrono::seconds(10);  // a write takes milliseconds: longer means a stuck process
constexpr int kTries = 50;     // each lost try means that somebody else wrote meanwhile

bool is_inside(const fs::path& path, const fs::path& folder) {
  const auto [end, at] = std::mismatch(folder.begin(), folder.end(), path.begin(), path.end());
  return end == folder.end();
}

std::string entry_text(const json& element, const char* name) {
  return read_field<std::string>(element, name).value_or("");
}

std::optional<Endpoint> address_of(const json& element) {
  const auto host = read_field<std::string>(element, "ssh_host");
  const auto port = read_integer(element, "ssh_port");
  if (!host || host->empty() || !port || *port < 1 || *port > 65535) return std::nullopt;
  return Endpoint{*host, static_cast<std::uint16_t>(*port)};
}

}  // namespace

/// The project without links: one project, one name, one lock.
Result<fs::path> InstanceFile::root() const {
  return disk_->resolve(project_ / ".").map([](const fs::path& inside) { return inside.parent_path(); });
}

/// The file to write: links inside the project are followed, so that they stay links.
Result<fs::path> InstanceFile::target() const {
  auto folder = root();
  if (!folder) return folder;
  auto file = disk_->resolve(path());
  if (!file) return file;
  if (is_inside(*file, *folder)) return file;
  return fail({.code = Code::wrong_state,
               .what = path().string() + " is a link to " + file->string() + ", outside the project",
               .next_step = "replace the link by a file, or link to a place inside the project"});
}

Result<std::vector<InstanceEntry>> InstanceFile::read() const {
  auto file = target();
  if (!file) return fail(std::move(file).error());
  auto now = read_instance_text(*disk_, *file);
  if (!now) return fail(std::move(now).error());
  if (!now->parsed) return fail(std::move(now->parsed).error().during("reading " + path().string()));
  std::vector<InstanceEntry> entries;
  for (const json& element : *now->parsed) {
    const auto id = read_integer(element, "instance_id");
    if (!id || *id <= 0) continue;
    entries.push_back({.id = {*id},
                       .status = entry_text(element, "status"),
                       .gpu_name = entry_text(element, "gpu_name"),
                       .ssh = address_of(element),
                       .experiment = read_field<std::string>(element, "experiment"),
                       .dph = read_number(element, "dph"),
                       .created_at = entry_text(element, "created_at"),
                       .raw = element});
  }
  return entries;
}

Result<void> InstanceFile::put(const InstanceRecord& record) const {
  return change([&](const json& now) { return edit_for(record, has_entry(now, record.id)); });
}

Result<void> InstanceFile::set_status(InstanceId id, const std::string& status) const {
  return change([&](const json&) {
    return EntryEdit{.id = id, .set = {{"status", status}}, .when_new = {}};
  });
}

Result<void> InstanceFile::set_experiment(InstanceId id, const std::optional<std::string>& experiment) const {
  return change([&](const json&) {
    return EntryEdit{
        .id = id, .set = {{"experiment", experiment ? json(*experiment) : json()}}, .when_new = {}};
  });
}

/// Named after its content, so that one broken state is kept once however often we meet it.
Error InstanceFile::keep_broken(const InstanceText& broken) const {
  Error why = broken.parsed.error();
  why.next_step =
      "repair the file or move it away; vast-gpu leaves it as it is and goes on from its own records";
  const std::string& content = *broken.text;
  const fs::path copy = path().string() + ".broken-" + sha256_hex(content).substr(0, 8);
  const auto kept = keep_copy(*disk_, copy, content);
  why.what += kept ? "; a copy is in " + copy.string() : "; no copy could be kept: " + kept.error().what;
  return why;
}

Result<void> InstanceFile::change(const Edit& edit) const {
  auto changed = locked_change(edit);
  if (!changed) return fail(std::move(changed).error().during("changing " + path().string()));
  return changed;
}

Result<void> InstanceFile::locked_change(const Edit& edit) const {
  auto file = target();
  if (!file) return fail(std::move(file).error());
  auto project = root();
  if (!project) return fail(std::move(project).error());
  // The lock stands in our own folder: the project is to hold nothing else of ours.
  SystemClock clock;
  const auto lock = FileLock::acquire(lock_folder_, "project-" + sha256_hex(project->string()).substr(0, 32),
                                      clock, clock.now() + kLockLimit, {});
  if (!lock) return fail(lock.error());

  Replacement replacement(*disk_, *file);
  if (auto looked = replacement.look(); !looked) return looked;
  for (int tries = 0; tries < kTries; ++tries) {
    const InstanceText& now = replacement.text();
    if (!now.parsed) return fail(keep_broken(now));
    auto wanted = edit(*now.parsed);
    if (!wanted) return fail(std::move(wanted).error());
    const std::string before = now.text.value_or("[]\n");
    const std::string after = with_edit(before, *wanted);
    if (tries == 0 && after == before) return {};
    auto done = replacement.swap_in(after);
    if (!done) return fail(std::move(done).error());
    if (*done) return {};
  }
  return fail({.code = Code::unavailable,
               .what = "somebody else rewrites it all the time",
               .next_step = "stop what writes it, then call again"});
}

}  // namespace vastgpu
