#include "remote/upload_plan.h"

#include <algorithm>
#include <charconv>

#include "core/files.h"
#include "core/text.h"
#include "remote/file_reading.h"

namespace vastgpu {

namespace {
constexpr std::size_t kHashedStart = 64 * 1024;
constexpr std::uint64_t kMostPackedPiece = 2 * 1024 * 1024;
}  // namespace

std::string piece_key(const LocalTree& tree, const LocalFile& file) {
  const auto open = WatchedFile::open(tree, file);
  std::string start(std::min<std::uint64_t>(file.size, kHashedStart), '\0');
  if (!open || !open->read(0, start)) return "";
  const std::string version =
      text(file.size, " ", file.changed.seconds, ".", file.changed.nanoseconds, " ", sha256_hex(start));
  return sha256_hex(file.path).substr(0, 16) + "-" + sha256_hex(version).substr(0, 16);
}

UploadPlan::UploadPlan(std::vector<LargeFile> files, const std::map<std::string, std::string>& journals)
    : files_(std::move(files)), progress_(files_.size()), open_(files_.size()) {
  for (std::size_t i = 0; i < files_.size(); ++i) {
    const std::uint64_t size = files_[i].file->size;
    const auto journal = journals.find(files_[i].key);
    read_journal(journal == journals.end() ? std::string_view() : journal->second, size, progress_[i]);
    resumed_ += size - progress_[i].missing;
    settle(progress_[i]);
  }
}

void UploadPlan::read_journal(std::string_view journal, std::uint64_t size, Progress& into) {
  std::vector<std::pair<std::uint64_t, std::uint64_t>> there;
  while (!journal.empty()) {
    const std::size_t end = journal.find('\n');
    const std::string_view line = journal.substr(0, end);
    if (end == std::string_view::npos) break;  // the line was not finished
    journal.remove_prefix(end + 1);
    std::uint64_t offset = 0, count = 0;
    const char* stop = line.data() + line.size();
    const auto first = std::from_chars(line.data(), stop, offset);
    if (first.ec != std::errc() || first.ptr == stop || *first.ptr != ' ') continue;
    const auto second = std::from_chars(first.ptr + 1, stop, count);
    if (second.ec != std::errc() || second.ptr != stop || offset > size || count > size - offset) continue;
    there.emplace_back(offset, count);
  }
  std::sort(there.begin(), there.end());
  std::uint64_t at = 0;
  const auto gap = [&](std::uint64_t end) {
    if (end <= at) return;
    into.gaps.emplace(at, end - at);
    into.missing += end - at;
  };
  for (const auto& [offset, count] : there) {
    gap(offset);
    at = std::max(at, offset + count);
  }
  gap(size);
}

void UploadPlan::settle(Progress& p) { p.to_name = p.missing == 0 && !p.over; }

std::uint64_t UploadPlan::missing() const {
  const std::lock_guard hold(lock_);
  std::uint64_t sum = 0;
  for (const Progress& p : progress_) sum += p.over ? 0 : p.missing;
  return sum;
}

std::optional<UploadPiece> UploadPlan::take(std::uint64_t at_most) {
  const std::lock_guard hold(lock_);
  if (closed_) return std::nullopt;
  while (first_ < progress_.size() && progress_[first_].over) ++first_;
  for (std::size_t i = first_; i < progress_.size(); ++i) {
    Progress& p = progress_[i];
    if (p.over) continue;
    if (p.to_name) {
      p.to_name = false;
      ++in_hands_;
      return UploadPiece{i, 0, 0};
    }
    if (p.gaps.empty()) continue;
    const auto [offset, size] = *p.gaps.begin();
    p.gaps.erase(p.gaps.begin());
    const std::uint64_t taken =
        std::min(size, files_[i].packed ? std::min(at_most, kMostPackedPiece) : at_most);
    if (taken < size) p.gaps.emplace(offset + taken, size - taken);
    ++in_hands_;
    return UploadPiece{i, offset, taken};
  }
  return std::nullopt;
}

void UploadPlan::arrived(const UploadPiece& piece) {
  const std::lock_guard hold(lock_);
  Progress& p = progress_[piece.file];
  --in_hands_;
  changed_.notify_all();
  if (p.over) return;
  if (piece.size == 0) {
    p.over = true;
    --open_;
  } else {
    p.missing -= piece.size;
    settle(p);
  }
}

void UploadPlan::give_back(const UploadPiece& piece) {
  const std::lock_guard hold(lock_);
  Progress& p = progress_[piece.file];
  --in_hands_;
  changed_.notify_all();
  if (p.over) return;
  if (piece.size == 0)
    p.to_name = true;
  else
    p.gaps.emplace(piece.offset, piece.size);
}

void UploadPlan::drop(std::size_t file) {
  const std::lock_guard hold(lock_);
  Progress& p = progress_[file];
  if (p.over) return;
  p.over = p.dropped = true;
  --open_;
  changed_.notify_all();
}

bool UploadPlan::is_dropped(std::size_t file) const {
  const std::lock_guard hold(lock_);
  return progress_[file].dropped;
}

bool UploadPlan::done() const {
  const std::lock_guard hold(lock_);
  return open_ == 0 || (closed_ && in_hands_ == 0);
}

void UploadPlan::hand_out_no_more() {
  const std::lock_guard hold(lock_);
  closed_ = true;
  changed_.notify_all();
}

bool UploadPlan::is_left(std::size_t file) const {
  const std::lock_guard hold(lock_);
  return !progress_[file].over;
}

void UploadPlan::wait_for_work(std::chrono::milliseconds at_most) {
  std::unique_lock hold(lock_);
  if (open_ > 0 && !(closed_ && in_hands_ == 0)) changed_.wait_for(hold, at_most);
}

}  // namespace vastgpu
