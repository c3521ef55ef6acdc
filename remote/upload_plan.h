#pragma once
// Which pieces of which large files still have to travel. UploadLanes take pieces, say that they arrived, or
// give them back when their link broke. Any thread.

#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "remote/local_tree.h"

namespace vastgpu {

struct LargeFile {
  const LocalFile* file;
  std::string key;      ///< names its unfinished copy on the machine: path, size, time and first bytes
  bool packed = false;  ///< its pieces travel compressed
};

/// "<16 hex of the path>-<16 hex of size, time and first bytes>": another version never continues it. Empty
/// when the file cannot be read any more.
std::string piece_key(const LocalTree& tree, const LocalFile& file);

/// A piece of size 0 means: everything arrived, give the file its name.
struct UploadPiece {
  std::size_t file = 0;  ///< index into UploadPlan::files()
  std::uint64_t offset = 0, size = 0;
};

class UploadPlan {
 public:
  /// `journals`: what the machine has of each, by key: lines of "offset size".
  UploadPlan(std::vector<LargeFile> files, const std::map<std::string, std::string>& journals);

  const std::vector<LargeFile>& files() const { return files_; }
  std::uint64_t missing() const;  ///< bytes, all files together
  std::uint64_t resumed() const { return resumed_; }

  /// The next piece, of at most so many bytes (and 2 MiB where it is packed, since that is done in memory);
  /// nullopt when all that is left is in other lanes' hands.
  std::optional<UploadPiece> take(std::uint64_t at_most);
  /// It is on the machine, or the file has its name.
  void arrived(const UploadPiece& piece);
  /// It may not be there.
  void give_back(const UploadPiece& piece);
  /// The file changed or went away: nothing more of it travels.
  void drop(std::size_t file);

  /// What is in nobody's hands is left for another time.
  void hand_out_no_more();

  bool is_dropped(std::size_t file) const;
  bool is_left(std::size_t file) const;
  /// Every file has its name, is dropped, or is left and in nobody's hands.
  bool done() const;
  /// Until there may be a piece to take, everything is done, or a moment passed.
  void wait_for_work(std::chrono::milliseconds at_most);

 private:
  struct Progress {
    std::map<std::uint64_t, std::uint64_t> gaps;  // offset -> size: neither there nor in anybody's hands
    std::uint64_t missing = 0;                    // not known to be there
    bool to_name = false;                         // complete, and nobody is giving it its name
    bool over = false;                            // named or dropped
    bool dropped = false;
  };
  static void read_journal(std::string_view journal, std::uint64_t size, Progress& into);
  void settle(Progress& p);

  std::vector<LargeFile> files_;
  std::uint64_t resumed_ = 0;
  mutable std::mutex lock_;
  std::condition_variable changed_;
  std::vector<Progress> progress_;
  bool closed_ = false;       // hand_out_no_more()
  std::size_t open_ = 0;      // files that are not over
  std::size_t in_hands_ = 0;  // pieces of all files that are not over
  std::size_t first_ = 0;     // before it, everything is over
};

}  // namespace vastgpu
