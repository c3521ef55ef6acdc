#pragma once
// A large file on its way home: written in any order beside its place, with a journal of what is safely
// there, so that the next call goes on in the middle. Bound to path, size and time of the file on the
// machine. write() may be called by several threads at once for different ranges; all else by one thread.

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "core/error.h"
#include "core/fd.h"
#include "remote/archive.h"
#include "remote/ranges.h"

namespace vastgpu {

/// Names of ours in folders that files land in; no file from a machine may have one.
inline constexpr std::string_view kPartPrefix = ".vast-gpu-part-";
inline constexpr std::string_view kResumablePrefix = ".vast-gpu-part-of-";

/// "cannot write x: No space left on device", with what to do about it.
Error cannot_on_disk(const std::string& what, const std::string& path, int error_number);

class PartFile {
 public:
  /// What it is called on its way; `name` stands behind its owner.
  static std::string name_of(const std::string& name, std::uint64_t size, FileTime changed);

  /// Takes up what an earlier call left, unless another process is at it; removes what is left of other
  /// states of the same file. Parts of another `owner` are other files.
  static Result<std::unique_ptr<PartFile>> open(std::shared_ptr<const Fd> folder, const std::string& name,
                                                std::uint64_t size, FileTime changed,
                                                const std::string& owner = "");
  /// What was written stays for the next call, unless drop() or placed() was called.
  ~PartFile();
  PartFile(const PartFile&) = delete;
  PartFile& operator=(const PartFile&) = delete;

  /// Bytes that were there when it was opened.
  std::uint64_t resumed() const { return resumed_; }
  Result<void> write(std::uint64_t at, std::string_view piece);
  Ranges landed() const;
  /// Bytes from the beginning without a hole.
  std::uint64_t prefix() const;
  /// Of what has landed. @error unavailable  the disk
  Result<std::size_t> read(std::uint64_t at, char* into, std::size_t size) const;

  /// Puts on disk what landed, and then says so in the journal.
  Result<void> save();
  /// Forgets all that landed.
  Result<void> restart();
  /// On disk, with its time; it can be given its name now.
  Result<void> close(FileTime changed);
  /// It is no use: nothing is kept.
  void drop();
  /// It has its name now.
  void placed();

  const Fd& file() const { return file_; }
  const Fd& folder() const { return *folder_; }
  const std::string& temporary() const { return temporary_; }
  const std::string& name() const { return name_; }

 private:
  PartFile() = default;
  void read_journal();
  void remove_other_states() const;
  std::shared_ptr<const Fd> folder_;
  std::string name_, temporary_, journal_name_, header_;
  std::uint64_t size_ = 0, resumed_ = 0;
  Fd file_, journal_;
  bool keep_ = true;
  mutable std::mutex mutex_;
  Ranges landed_;               // under mutex_
  std::vector<Range> unsaved_;  // under mutex_
};

}  // namespace vastgpu
