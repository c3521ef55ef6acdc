#pragma once
// Tar streams by libarchive, packed or not, written to and read from functions. One thread at a time per
// object. An error of the function that carries the bytes comes out as it went in.

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/error.h"

struct archive;

namespace vastgpu {

enum class Packing { none, gzip, zstd };
/// Whether the libarchive we run with does it itself; otherwise it would start a program.
bool can_pack(Packing packing);

/// One block, packed at the fastest level; as it is for Packing::none.
Result<std::string> pack_block(Packing packing, std::string_view data);
/// @error corrupt  not packed like that, or more than `max_bytes` come out of it
Result<std::string> unpack_block(Packing packing, std::string_view data, std::size_t max_bytes);

struct FileTime {
  std::int64_t seconds = 0;
  long nanoseconds = 0;
  bool operator==(const FileTime&) const = default;
};

/// Writes a pax tar.
class TarWriter {
 public:
  using Sink = std::function<Result<void>(std::string_view)>;
  /// @param level  1 packs fastest; 3 packs an eighth smaller in twice the time
  static Result<TarWriter> open(Packing packing, Sink sink, int level = 1);

  /// Starts a regular file. Exactly `size` bytes have to follow; what is missing becomes zeros.
  Result<void> begin(const std::string& path, std::uint64_t size, FileTime changed, unsigned mode);
  Result<void> data(std::string_view piece);
  Result<void> close();

 private:
  struct State;
  struct Free {
    void operator()(State* s) const noexcept;
  };
  explicit TarWriter(std::unique_ptr<State, Free> state) : state_(std::move(state)) {}
  Error trouble(const std::string& step);
  std::unique_ptr<State, Free> state_;
};

struct TarEntry {
  std::string path;  ///< the bytes in the archive, unchecked
  bool is_file = false;
  std::uint64_t size = 0;
};

/// Reads a tar (GNU or pax). Everything in it is hostile: names are handed out as they are, nothing touches
/// the disk.
class TarReader {
 public:
  /// 0 bytes mean the end.
  using Source = std::function<Result<std::size_t>(std::span<char>)>;
  static Result<TarReader> open(Packing packing, Source source);

  /// nullopt at the end. @error corrupt  not a tar, or cut off
  Result<std::optional<TarEntry>> next();
  /// A piece of the current entry; empty at its end. Valid until the next call.
  Result<std::string_view> data();

 private:
  struct State;
  struct Free {
    void operator()(State* s) const noexcept;
  };
  explicit TarReader(std::unique_ptr<State, Free> state) : state_(std::move(state)) {}
  Error trouble(const std::string& step);
  std::unique_ptr<State, Free> state_;
};

}  // namespace vastgpu
