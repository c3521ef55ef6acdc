#pragma once
// A local folder that files from a hostile machine land in: whole or not at all, and never outside it. Each
// part of a path is opened for itself and never through a link. One thread at a time per object.

#include <sys/stat.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>

#include "core/error.h"
#include "core/fd.h"
#include "remote/archive.h"
#include "remote/part_file.h"
#include "remote/sha256.h"

namespace vastgpu {

/// Why a name from a machine is not taken; nullopt when it is fine: relative, no "..", no control characters,
/// valid UTF-8, parts of at most 255 bytes and 4096 in all, nothing below .git.
std::optional<std::string> objection_to(std::string_view path);

/// Whether a file of ours on its way, unchanged on this disk for so many seconds, belongs to nobody any more.
bool is_leftover(std::string_view name, std::int64_t unchanged);

/// Where a file goes when what stands there keeps its name.
struct SpareName {
  std::string path = {};                                                 ///< below this folder
  std::function<bool(const std::string& sha256, bool ours)> keeps = {};  ///< CollectSource::keeps_name
};
struct LandedName {
  std::string kept = {};  ///< the name to which another file was renamed, or empty
  bool elsewhere = false;
};

class Landing {
 public:
  /// A file on its way: written under a name of ours beside its place, removed again unless place() succeeds.
  class Part {
   public:
    Part(Part&&) = default;
    Part& operator=(Part&&) = delete;
    ~Part();

    Result<void> write(std::string_view piece);
    std::uint64_t size() const { return size_; }

    /// Ends the writing. @return the hash of what was written
    Result<std::string> close(FileTime changed);

   private:
    friend class Landing;
    Part() = default;
    std::shared_ptr<const Fd> folder_;
    Fd file_;
    std::string name_, temporary_;
    std::optional<Sha256> digest_;
    std::uint64_t size_ = 0;
  };

  /// `owner`: parts are taken up again by the same one only, since two rentals bring the same names.
  explicit Landing(std::filesystem::path folder, std::string owner = "")
      : path_(std::move(folder)), owner_(std::move(owner)) {}

  /// Whether a regular file of this size is there.
  bool has(const std::string& path, std::uint64_t size);
  /// Its hash; nullopt when there is none of this size, and when stopped.
  std::optional<std::string> hash_if_size(const std::string& path, std::uint64_t size,
                                          const std::stop_token& stop);
  /// This collection relies on the file there: nothing it brings may take its name away, as happens on disks
  /// that hold two names for the same.
  void rely_on(const std::string& path);

  /// `path` must have passed objection_to().
  /// @error unavailable  no right, disk full, or a link in the way
  Result<Part> begin(const std::string& path);

  /// A large file, written in any order and kept when this call does not finish it: begun now, or with what
  /// an earlier call left of the same size and time.
  Result<std::unique_ptr<PartFile>> resume(const std::string& path, std::uint64_t size, FileTime changed);

  /// Bytes on disk of what an earlier call left of it.
  std::uint64_t begun(const std::string& path, std::uint64_t size, FileTime changed);

  /// Gives a closed file its name; to be called after sync(), or PartFile::close(). Another file that stands
  /// there keeps its name when `elsewhere` says so, is replaced when its hash is `known`, and renamed
  /// otherwise. Nobody else of ours gives a name in that folder meanwhile.
  Result<LandedName> place(Part& part, const std::string& known, const SpareName& elsewhere = {});
  Result<LandedName> place(PartFile& part, const std::string& known, const SpareName& elsewhere = {});

  /// Puts on disk what was written and renamed so far, all at once: file by file takes ten times as long.
  Result<void> sync();

  /// Bytes that may still be written here; nullopt when nobody knows.
  std::optional<std::uint64_t> free_bytes() const;

 private:
  Result<std::shared_ptr<const Fd>> folder_of(const std::string& path, bool make);
  void remove_leftovers(const std::shared_ptr<const Fd>& folder, const std::string& path, const Fd& newest);
  struct Waiting {
    const Fd& folder;
    const std::string &temporary, &name;
  };
  Result<LandedName> place(const Waiting& part, const std::string& known, const SpareName& elsewhere);
  Result<LandedName> place_in(const Fd& folder, const std::string& name, const Waiting& part,
                              const std::string& known, const SpareName& elsewhere);
  std::filesystem::path path_;
  std::string owner_;
  Fd root_;
  std::string last_;  // the folder of the last file, and its descriptor: neighbours come one after the other
  std::shared_ptr<const Fd> last_folder_;
  std::set<std::string> swept_;
  std::set<std::pair<dev_t, ino_t>> relied_on_;
};

}  // namespace vastgpu
