// Single blocks, packed by the same library as the tars.
#include <array>
#include <memory>

#include "core/text.h"
#include "remote/archive.h"
#include "remote/libarchive.h"

namespace vastgpu {
namespace {

struct FreeWriter {
  void operator()(archive* a) const noexcept { lib().archive_write_free(a); }
};
struct FreeReader {
  void operator()(archive* a) const noexcept { lib().archive_read_free(a); }
};
struct FreeEntry {
  void operator()(archive_entry* e) const noexcept { lib().archive_entry_free(e); }
};

la_ssize_t append(archive*, void* into, const void* data, std::size_t size) {
  static_cast<std::string*>(into)->append(static_cast<const char*>(data), size);
  return static_cast<la_ssize_t>(size);
}

}  // namespace

Result<std::string> pack_block(Packing packing, std::string_view data) {
  if (packing == Packing::none) return std::string(data);
  if (auto loaded = load_libarchive(); !loaded) return fail(std::move(loaded).error());
  std::string out;
  const std::unique_ptr<archive, FreeWriter> a(lib().archive_write_new());
  const char* name = packing == Packing::zstd ? "zstd" : "gzip";
  const std::unique_ptr<archive_entry, FreeEntry> entry(lib().archive_entry_new());
  lib().archive_entry_set_pathname(entry.get(), "block");
  lib().archive_entry_set_filetype(entry.get(), AE_IFREG);
  const bool packed =
      lib().archive_write_set_format_raw(a.get()) == ARCHIVE_OK &&
      (packing == Packing::zstd ? lib().archive_write_add_filter_zstd(a.get())
                                : lib().archive_write_add_filter_gzip(a.get())) == ARCHIVE_OK &&
      lib().archive_write_set_filter_option(a.get(), name, "compression-level", "1") == ARCHIVE_OK &&
      lib().archive_write_set_bytes_in_last_block(a.get(), 1) == ARCHIVE_OK &&
      lib().archive_write_open(a.get(), &out, nullptr, &append, nullptr) == ARCHIVE_OK &&
      lib().archive_write_header(a.get(), entry.get()) == ARCHIVE_OK &&
      lib().archive_write_data(a.get(), data.data(), data.size()) == static_cast<la_ssize_t>(data.size()) &&
      lib().archive_write_close(a.get()) == ARCHIVE_OK;
  if (packed) return out;
  const char* why = lib().archive_error_string(a.get());
  return fail({.code = Code::internal,
               .what = "packing a block: " + clean_line(why == nullptr ? "no reason given" : why),
               .next_step = "report this"});
}

Result<std::string> unpack_block(Packing packing, std::string_view data, std::size_t max_bytes) {
  const auto odd = [](const std::string& why) {
    return fail({.code = Code::corrupt,
                 .what = "the machine's answer cannot be unpacked: " + why,
                 .next_step = "try again; if it happens again, the machine is broken"});
  };
  if (packing == Packing::none) {
    if (data.size() > max_bytes) return odd("it is too long");
    return std::string(data);
  }
  if (auto loaded = load_libarchive(); !loaded) return fail(std::move(loaded).error());
  const std::unique_ptr<archive, FreeReader> a(lib().archive_read_new());
  archive_entry* entry = nullptr;
  if (lib().archive_read_support_format_raw(a.get()) != ARCHIVE_OK ||
      (packing == Packing::zstd ? lib().archive_read_support_filter_zstd(a.get())
                                : lib().archive_read_support_filter_gzip(a.get())) != ARCHIVE_OK ||
      lib().archive_read_open_memory(a.get(), data.data(), data.size()) != ARCHIVE_OK)
    return odd("the library refuses");
  const int begun = lib().archive_read_next_header(a.get(), &entry);
  if (begun == ARCHIVE_EOF) return std::string();
  if (begun != ARCHIVE_OK || lib().archive_filter_code(a.get(), 0) == ARCHIVE_FILTER_NONE)
    return odd("it is not packed as it says");
  std::string out;
  std::array<char, 64 * 1024> buffer;
  for (;;) {
    const la_ssize_t n = lib().archive_read_data(a.get(), buffer.data(), buffer.size());
    if (n < 0) return odd("it is damaged");
    if (n == 0) return out;
    if (out.size() + static_cast<std::size_t>(n) > max_bytes) return odd("it is too long");
    out.append(buffer.data(), static_cast<std::size_t>(n));
  }
}

}  // namespace vastgpu
