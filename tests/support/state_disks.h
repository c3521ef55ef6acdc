#pragma once
// Two disks for tests: one on which somebody else works at chosen moments, and one that loses power. One
// thread.

#include <functional>
#include <map>
#include <memory>
#include <set>

#include "state/disk.h"

namespace vastgpu {

/// The real disk; `before` is told of each step first and may do what it likes to the files.
class MeddledDisk : public Disk {
 public:
  using Path = std::filesystem::path;
  std::function<void(const std::string& step, const Path& path)> before = [](const std::string&,
                                                                             const Path&) {};
  bool can_exchange = true;
  bool full = false;

  Result<std::string> read(const Path& p, std::size_t max) override {
    return before("read", p), real_disk().read(p, max);
  }
  std::optional<unsigned> mode(const Path& p) override { return real_disk().mode(p); }
  Result<Path> resolve(const Path& p) override { return real_disk().resolve(p); }
  Result<void> write(const Path& p, std::string_view content, std::optional<unsigned> m) override {
    before("write", p);
    if (full) return fail({.code = Code::unavailable, .what = "the disk is full"});
    return real_disk().write(p, content, m);
  }
  Result<void> sync(const Path& p) override { return before("sync", p), real_disk().sync(p); }
  Result<void> sync_dir(const Path& p) override { return before("sync_dir", p), real_disk().sync_dir(p); }
  Result<void> rename(const Path& a, const Path& b) override {
    return before("rename", b), real_disk().rename(a, b);
  }
  Result<bool> rename_new(const Path& a, const Path& b) override {
    return before("rename_new", b), real_disk().rename_new(a, b);
  }
  Result<bool> exchange(const Path& a, const Path& b) override {
    if (!can_exchange) return false;
    return before("exchange", b), real_disk().exchange(a, b);
  }
  void remove(const Path& p) override { real_disk().remove(p); }
  void sweep(const Path& p, const std::string& prefix) override { real_disk().sweep(p, prefix); }
};

/// When a change of names reaches the platter without sync_dir: at once, or never. Each hides the other's
/// bug.
enum class Renames { early, late };

/// Files in memory that forget what was not synced. A step that the power cut hits is half done with `early`
/// and not done with `late`; both report failure.
class CrashingDisk : public Disk {
 public:
  using Path = std::filesystem::path;

  CrashingDisk(Renames renames, bool can_exchange) : renames_(renames), can_exchange_(can_exchange) {}

  void add(const Path& path, const std::string& content) {
    now_[path] = kept_[path] = std::make_shared<Inode>(Inode{content, content});
  }
  /// Counts write, sync, rename, exchange and sync_dir.
  void power_fails_after(int steps) { left_ = steps; }
  /// As power_fails_after, but only one step fails and nothing is forgotten: a full disk.
  void one_step_fails_after(int steps) { left_ = steps, only_one_ = true; }
  void restart() {
    left_ = -1;
    off_ = only_one_ = false;
    now_ = kept_;
    for (auto& [path, file] : now_) file->now = file->kept;
  }
  std::set<std::string> names() const {
    std::set<std::string> all;
    for (const auto& [path, file] : now_) all.insert(path.filename().string());
    return all;
  }
  std::string content(const Path& path) const { return now_.count(path) != 0 ? now_.at(path)->now : ""; }

  Result<std::string> read(const Path& path, std::size_t) override {
    if (off_) return fail(dark());
    if (now_.count(path) == 0) return fail({.code = Code::not_found, .what = "no " + path.string()});
    return now_[path]->now;
  }
  std::optional<unsigned> mode(const Path& path) override {
    return now_.count(path) != 0 ? std::optional(0644U) : std::nullopt;
  }
  Result<Path> resolve(const Path& path) override { return path; }
  Result<void> write(const Path& path, std::string_view content, std::optional<unsigned>) override {
    return step([&](bool whole) {
      now_[path] = std::make_shared<Inode>(
          Inode{std::string(content.substr(0, whole ? content.size() : content.size() / 2)), ""});
      names_changed();
    });
  }
  Result<void> sync(const Path& path) override {
    return step([&](bool whole) {
      if (whole) now_.at(path)->kept = now_.at(path)->now;
    });
  }
  Result<void> sync_dir(const Path&) override {
    return step([&](bool) { kept_ = now_; });
  }
  Result<void> rename(const Path& from, const Path& to) override {
    return step([&](bool) { move(from, to); });
  }
  Result<bool> rename_new(const Path& from, const Path& to) override {
    if (!off_ && now_.count(to) != 0) return false;
    return step([&](bool) { move(from, to); }).map([] { return true; });
  }
  Result<bool> exchange(const Path& a, const Path& b) override {
    if (!can_exchange_) return false;
    return step([&](bool) {
             std::swap(now_.at(a), now_.at(b));
             names_changed();
           })
        .map([] { return true; });
  }
  void remove(const Path& path) override {
    if (off_) return;
    now_.erase(path);
    names_changed();
  }
  void sweep(const Path&, const std::string&) override {}

 private:
  struct Inode {
    std::string now;
    std::string kept;
  };
  using Names = std::map<Path, std::shared_ptr<Inode>>;

  static Error dark() { return {.code = Code::unavailable, .what = "input/output error"}; }
  void names_changed() {
    if (renames_ == Renames::early) kept_ = now_;
  }
  void move(const Path& from, const Path& to) {
    now_[to] = now_.at(from);
    now_.erase(from);
    names_changed();
  }
  template <class F>
  Result<void> step(F&& change) {
    if (off_) return fail(dark());
    if (left_ == 0) {
      left_ = -1;
      off_ = !only_one_;
      if (renames_ == Renames::early && !only_one_) change(false);
      return fail(dark());
    }
    if (left_ > 0) --left_;
    change(true);
    return {};
  }

  Renames renames_;
  bool can_exchange_;
  Names now_;
  Names kept_;
  int left_ = -1;
  bool off_ = false;
  bool only_one_ = false;
};

}  // namespace vastgpu
