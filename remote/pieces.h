#pragma once
// Who fetches which piece of which large file. Thread-safe.

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <vector>

#include "remote/choose.h"
#include "remote/part_file.h"

namespace vastgpu {

/// A large file under way.
struct BigFile {
  Wanted* wanted = nullptr;
  std::unique_ptr<PartFile> part = {};  ///< set before its first piece is handed out
};

struct FetchPiece {
  std::size_t file = 0;
  Range range;
};

class Pieces {
 public:
  Pieces(std::size_t files, std::uint64_t largest) : state_(files), largest_(largest) {}

  /// What is missing of a file; pieces of earlier files are handed out first.
  void add(std::size_t file, const std::vector<Range>& missing);
  /// No further files will be added.
  void no_more();

  /// The next piece; pieces shrink towards the end, so that all lanes end together. Nullopt when there is
  /// none to be had now.
  std::optional<FetchPiece> take(std::size_t lanes);
  /// Waits until take() may give one, or all is done. False: all is done, or stopped.
  bool wait(std::stop_token stop);
  /// All of it has landed, or is not wanted any more.
  void done(const FetchPiece& piece);
  /// What is left of a piece whose lane broke.
  void give_back(const FetchPiece& piece);
  /// This file is not wanted any more.
  void drop(std::size_t file);
  bool dropped(std::size_t file) const;
  std::uint64_t left() const;  ///< bytes not handed out yet

 private:
  bool finished() const;
  struct File {
    std::deque<Range> todo;
    std::size_t away = 0;  ///< pieces handed out
    bool dropped = false;
  };
  mutable std::mutex mutex_;
  std::condition_variable_any news_;
  std::vector<File> state_;
  const std::uint64_t largest_;
  std::uint64_t left_ = 0;
  bool no_more_ = false;
};

}  // namespace vastgpu
