#pragma once
// Sleeps until something changes in one of some folders. One thread; waking from any.

#include <chrono>
#include <filesystem>
#include <map>
#include <set>

#include "core/fd.h"

namespace vastgpu {

/// By inotify. Where that cannot be had (no more watches, a folder that does not exist, a file system of
/// another computer) it just sleeps: whoever waits looks now and then anyway.
class FolderWatch {
 public:
  FolderWatch();

  /// From now on these, and no others. Cheap where nothing changed.
  void watch(const std::set<std::filesystem::path>& folders);

  enum class Woken { change, call, time };
  /// `call`: somebody called wake().
  Woken wait(std::chrono::milliseconds at_most);
  /// Sleeps, and only wake() ends it. Changes meanwhile are kept for the next wait().
  Woken rest(std::chrono::milliseconds at_most);

  /// Ends the wait that is under way, or the next one. Any thread.
  void wake() const noexcept;

 private:
  Woken poll(std::chrono::milliseconds at_most, bool changes);
  Fd inotify_, calls_;
  std::map<std::filesystem::path, int> watched_;
};

}  // namespace vastgpu
