#include "state/replacement.h"

#include "core/clock.h"
#include "core/text.h"
#include "state/instance_edit.h"

namespace vastgpu {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxBytes = 8'000'000;  // some ten thousand entries; more is not this file

// An editor that rewrites a file in place shows it empty or cut for a moment.
constexpr int kLooks = 6;
constexpr Duration kBetweenLooks = std::chrono::milliseconds(20);

const std::string kTemporary = ".vast-instances.json.vast-gpu-";  // what it belongs to and who left it

fs::path temporary_beside(const fs::path& path) { return path.parent_path() / (kTemporary + random_hex(6)); }

Result<std::optional<std::string>> read_if_there(Disk& disk, const fs::path& path) {
  auto text = disk.read(path, kMaxBytes);
  if (text) return std::optional(*std::move(text));
  if (text.error().code == Code::not_found) return std::optional<std::string>();
  if (text.error().code == Code::invalid_argument) text.error().code = Code::corrupt;
  return fail(std::move(text).error());
}

}  // namespace

Result<InstanceText> read_instance_text(Disk& disk, const fs::path& path) {
  SystemClock clock;
  for (int looks = 1;; ++looks) {
    auto text = read_if_there(disk, path);
    if (!text) return fail(std::move(text).error());
    if (!*text) return InstanceText{};
    auto parsed = parse_instances(**text);
    if (parsed || looks == kLooks) return InstanceText{*std::move(text), std::move(parsed)};
    clock.sleep_for(kBetweenLooks, {});
  }
}

Replacement::Replacement(Disk& disk, fs::path target) : disk_(disk), target_(std::move(target)) {
  disk_.sweep(target_.parent_path(), kTemporary);
}

Replacement::~Replacement() {
  if (displaced_ && disk_.read(target_, kMaxBytes) == in_place_.value_or("")) [[maybe_unused]]
    const auto best_effort = disk_.exchange(*displaced_, target_);
  for (const fs::path& path : made_) disk_.remove(path);
}

Result<void> Replacement::look() {
  return again(read_instance_text(disk_, target_)).map([](bool) {});
}

Result<bool> Replacement::again(Result<InstanceText> seen) {
  if (!seen) return fail(std::move(seen).error());
  text_ = *std::move(seen);
  in_place_ = text_.text;
  displaced_.reset();
  return false;
}

Result<bool> Replacement::finish() {
  displaced_.reset();
  return disk_.sync_dir(target_.parent_path()).map([] { return true; });
}

Result<bool> Replacement::swap_in(const std::string& merged) {
  if (merged == in_place_) return finish();  // what they wrote has our edit already
  if (merged.size() > kMaxBytes)
    return fail({.code = Code::unavailable,
                 .what = target_.string() + " would grow over " + bytes(kMaxBytes),
                 .next_step = "remove old entries from it"});
  const fs::path ours = made_.emplace_back(temporary_beside(target_));
  const auto written =
      disk_.write(ours, merged, disk_.mode(target_)).and_then([&] { return disk_.sync(ours); });
  if (!written) return fail(written.error());

  auto fresh = read_instance_text(disk_, target_);
  if (!fresh || fresh->text != in_place_) return again(std::move(fresh));
  if (!in_place_) {
    auto created = disk_.rename_new(ours, target_);
    if (!created) return created;
    return *created ? finish() : again(read_instance_text(disk_, target_));
  }
  return exchange(ours, merged);
}

/// Exchanging, unlike renaming, lets us see what we displaced.
Result<bool> Replacement::exchange(const fs::path& ours, const std::string& merged) {
  auto exchanged = disk_.exchange(ours, target_);
  if (!exchanged) return exchanged;
  if (!*exchanged) {
    if (auto renamed = disk_.rename(ours, target_); !renamed) return fail(std::move(renamed).error());
    return finish();
  }
  auto seen = read_instance_text(disk_, ours);
  if (seen && seen->text == in_place_) return finish();
  displaced_ = ours;
  in_place_ = merged;
  if (!seen) return fail(std::move(seen).error());
  text_ = *std::move(seen);
  return false;
}

Result<void> keep_copy(Disk& disk, const fs::path& path, std::string_view content) {
  if (disk.mode(path)) return {};
  const fs::path temporary = temporary_beside(path);
  auto kept = disk.write(temporary, content, 0600)
                  .and_then([&] { return disk.sync(temporary); })
                  .and_then([&] { return disk.rename_new(temporary, path); })
                  .and_then([&](bool) { return disk.sync_dir(path.parent_path()); });
  disk.remove(temporary);
  return kept;
}

}  // namespace vastgpu
