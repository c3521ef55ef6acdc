#pragma once
// Small pieces that sending and collecting share: what the machine can unpack, times and NUL-separated lists
// as its tools print them. Pure functions; any thread.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "remote/archive.h"

namespace vastgpu {

/// Shell text that prints "zstd", "gzip" or "none" and a NUL: the best packing that machine has.
extern const char* const kAskPacking;
/// The answer, as far as our libarchive can do it too.
Packing parse_packing(std::string_view word);

/// "1700000000.123456789" with any number of decimals.
std::optional<FileTime> parse_file_time(std::string_view text);

/// Takes one NUL-terminated record off the front; nullopt when there is no whole one.
std::optional<std::string_view> take_record(std::string_view& rest);
/// Takes one word and the space after it off the front; nullopt when there is none.
std::optional<std::string_view> take_word(std::string_view& rest);

}  // namespace vastgpu
