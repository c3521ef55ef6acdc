#pragma once
// A local folder that files from a hostile machine land in: whole or not at all, and never outside it. Each
// part of a path is opened for itself and never through a link. One thread at a time per object.

#include <openssl/evp.h>
#include <sys/stat.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>

#include "core/error.h"
#include "core/fd.h"
#include "remote/archive.h"

namespace vastgpu {

/// Why a name from a machine is not taken; nullopt when it is fine: relative, no "..", no control characters,
/// valid UTF-8, parts of at most 255 bytes and 4096 in all, nothing below .git.
std::optional<std::string> objection_to(std::string_view path);

struct DigestFree {
  void operator()(EVP_MD_CTX* c) const noexcept { EVP_MD_CTX_free(c); }
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

    /// Ends the writing.
    /// @error corrupt  size or hash are not what was announced
    Result<void> check(std::uint64_t size, const std::string& sha256, FileTime changed);

    /// Gives a checked file its name; to be called after Landing::sync(). Another file that stands there is
    /// replaced when its hash is `known`, and renamed otherwise.
    /// @return the name it was renamed to, or empty
    Result<std::string> place(const std::string& known);

   private:
    friend class Landing;
    Part() = default;
    Result<std::string> set_aside(const struct stat& old);
    std::shared_ptr<const Fd> folder_;
    Fd file_;
    std::string name_, temporary_;
    std::unique_ptr<EVP_MD_CTX, DigestFree> digest_;
    std::uint64_t size_ = 0;
  };

  explicit Landing(std::filesystem::path folder) : path_(std::move(folder)) {}

  /// Hash of the regular file there, if it has this size; nullopt otherwise, and when stopped.
  std::optional<std::string> hash_if_size(const std::string& path, std::uint64_t size,
                                          const std::stop_token& stop);

  /// `path` must have passed objection_to().
  /// @error unavailable  no right, disk full, or a link in the way
  Result<Part> begin(const std::string& path);

  /// Puts on disk what was written and renamed so far, all at once: file by file takes ten times as long.
  Result<void> sync();

  /// Bytes that may still be written here; nullopt when nobody knows.
  std::optional<std::uint64_t> free_bytes() const;

 private:
  Result<std::shared_ptr<const Fd>> folder_of(const std::string& path, bool make);
  void remove_leftovers(const Part& newest);
  std::filesystem::path path_;
  Fd root_;
  std::string last_;  // the folder of the last file, and its descriptor: neighbours come one after the other
  std::shared_ptr<const Fd> last_folder_;
  std::set<std::string> swept_;
};

}  // namespace vastgpu
