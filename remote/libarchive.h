#pragma once
// libarchive, loaded when the first archive is packed or read. With it come eight more libraries, a tenth of
// what an idle server holds in memory; most servers never pack anything. Any thread.

#include <archive.h>
#include <archive_entry.h>

#include "core/error.h"

namespace vastgpu {

// clang-format off
#define VASTGPU_ARCHIVE_FUNCTIONS(X) \
  X(archive_entry_filetype) X(archive_entry_free) X(archive_entry_hardlink) X(archive_entry_new) \
  X(archive_entry_pathname) X(archive_entry_set_filetype) X(archive_entry_set_mtime) \
  X(archive_entry_set_pathname) X(archive_entry_set_perm) X(archive_entry_set_size) \
  X(archive_entry_size) X(archive_entry_size_is_set) X(archive_error_string) X(archive_filter_code) \
  X(archive_read_data) X(archive_read_data_block) X(archive_read_free) X(archive_read_new) \
  X(archive_read_next_header) X(archive_read_open) X(archive_read_open_memory) \
  X(archive_read_support_filter_gzip) X(archive_read_support_filter_zstd) \
  X(archive_read_support_format_raw) X(archive_read_support_format_tar) X(archive_set_error) \
  X(archive_write_add_filter_gzip) X(archive_write_add_filter_zstd) X(archive_write_close) \
  X(archive_write_data) X(archive_write_free) X(archive_write_header) X(archive_write_new) \
  X(archive_write_open) X(archive_write_set_bytes_in_last_block) \
  X(archive_write_set_bytes_per_block) X(archive_write_set_filter_option) \
  X(archive_write_set_format_pax) X(archive_write_set_format_raw) X(archive_write_set_options)
// clang-format on

/// The functions that we use, under their own names.
struct LibArchive {
#define VASTGPU_MEMBER(name) decltype(&::name) name = nullptr;
  VASTGPU_ARCHIVE_FUNCTIONS(VASTGPU_MEMBER)
#undef VASTGPU_MEMBER
};

/// Must have succeeded before the first use of lib().
/// @error unavailable  the library is not installed, or not the one that we were built with
Result<void> load_libarchive();
const LibArchive& lib();

}  // namespace vastgpu
