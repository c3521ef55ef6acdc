#include "remote/archive.h"

#include <cerrno>
#include <memory>
#include <vector>

#include "core/text.h"
#include "remote/libarchive.h"

namespace vastgpu {
namespace {

constexpr std::size_t kBlock = 64 * 1024;  // one write to the link: two SSH packets; more would start later

struct FreeEntry {
  void operator()(archive_entry* e) const noexcept { lib().archive_entry_free(e); }
};

std::string words(archive* a) {
  const char* s = lib().archive_error_string(a);
  return s == nullptr ? "no reason given" : clean_line(s);
}

}  // namespace

bool can_pack(Packing packing) {
  if (packing != Packing::zstd) return true;
  if (!load_libarchive()) return false;
  archive* a = lib().archive_write_new();
  const bool itself = lib().archive_write_add_filter_zstd(a) == ARCHIVE_OK;  // ARCHIVE_WARN: by a program
  lib().archive_write_free(a);
  return itself;
}

struct TarWriter::State {
  archive* a = nullptr;
  Sink sink;
  std::optional<Error> sink_error = {};

  static la_ssize_t write(archive*, void* self, const void* data, std::size_t size) {
    auto* s = static_cast<State*>(self);
    if (s->sink_error) return -1;
    auto sent = s->sink({static_cast<const char*>(data), size});
    if (sent) return static_cast<la_ssize_t>(size);
    s->sink_error = std::move(sent).error();
    lib().archive_set_error(s->a, EIO, "the link broke");
    return -1;
  }
};

void TarWriter::Free::operator()(State* s) const noexcept {
  // Freeing writes the end of the archive, which must not look like the end of a whole one.
  if (!s->sink_error) s->sink_error = Error{};
  lib().archive_write_free(s->a);
  delete s;
}

Error TarWriter::trouble(const std::string& step) {
  if (state_->sink_error) return *state_->sink_error;
  return {.code = Code::internal, .what = step + ": " + words(state_->a), .next_step = "report this"};
}

Result<TarWriter> TarWriter::open(Packing packing, Sink sink, int level) {
  if (auto loaded = load_libarchive(); !loaded) return fail(std::move(loaded).error());
  std::unique_ptr<State, Free> state(new State{lib().archive_write_new(), std::move(sink)});
  archive* a = state->a;
  TarWriter writer(std::move(state));
  const std::string how = std::to_string(level);
  int rc = lib().archive_write_set_format_pax(a);
  // Names are bytes. Without this, libarchive would convert them by the C locale and fail beyond ASCII.
  if (rc == ARCHIVE_OK) rc = lib().archive_write_set_options(a, "hdrcharset=BINARY");
  if (rc == ARCHIVE_OK && packing == Packing::zstd) {
    rc = lib().archive_write_add_filter_zstd(a);
    if (rc == ARCHIVE_OK)
      rc = lib().archive_write_set_filter_option(a, "zstd", "compression-level", how.c_str());
  } else if (rc == ARCHIVE_OK && packing == Packing::gzip) {
    rc = lib().archive_write_add_filter_gzip(a);
    if (rc == ARCHIVE_OK)
      rc = lib().archive_write_set_filter_option(a, "gzip", "compression-level", how.c_str());
  }
  if (rc == ARCHIVE_OK) rc = lib().archive_write_set_bytes_per_block(a, kBlock);
  if (rc == ARCHIVE_OK) rc = lib().archive_write_set_bytes_in_last_block(a, 1);
  if (rc == ARCHIVE_OK)
    rc = lib().archive_write_open(a, writer.state_.get(), nullptr, &State::write, nullptr);
  if (rc != ARCHIVE_OK) return fail(writer.trouble("starting an archive"));
  return writer;
}

Result<void> TarWriter::begin(const std::string& path, std::uint64_t size, FileTime changed, unsigned mode) {
  const std::unique_ptr<archive_entry, FreeEntry> entry(lib().archive_entry_new());
  lib().archive_entry_set_pathname(entry.get(), path.c_str());
  lib().archive_entry_set_filetype(entry.get(), AE_IFREG);
  lib().archive_entry_set_perm(entry.get(), mode & 0777u);
  lib().archive_entry_set_size(entry.get(), static_cast<la_int64_t>(size));
  lib().archive_entry_set_mtime(entry.get(), static_cast<time_t>(changed.seconds), changed.nanoseconds);
  if (lib().archive_write_header(state_->a, entry.get()) < ARCHIVE_WARN)
    return fail(trouble("packing " + clean_line(path)));
  return {};
}

Result<void> TarWriter::data(std::string_view piece) {
  while (!piece.empty()) {
    const la_ssize_t n = lib().archive_write_data(state_->a, piece.data(), piece.size());
    if (n < 0) return fail(trouble("packing"));
    if (n == 0) return {};  // more than begin() announced: the rest does not belong to the file
    piece.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

Result<void> TarWriter::close() {
  if (lib().archive_write_close(state_->a) != ARCHIVE_OK) return fail(trouble("ending an archive"));
  return {};
}

struct TarReader::State {
  archive* a = nullptr;
  Source source;
  std::optional<Error> source_error = {};
  std::vector<char> buffer = std::vector<char>(kBlock);

  static la_ssize_t read(archive*, void* self, const void** data) {
    auto* s = static_cast<State*>(self);
    auto got = s->source(s->buffer);
    if (!got) {
      s->source_error = std::move(got).error();
      lib().archive_set_error(s->a, EIO, "the link broke");
      return -1;
    }
    *data = s->buffer.data();
    return static_cast<la_ssize_t>(*got);
  }
};

void TarReader::Free::operator()(State* s) const noexcept {
  lib().archive_read_free(s->a);
  delete s;
}

Error TarReader::trouble(const std::string& step) {
  if (state_->source_error) return *state_->source_error;
  return {.code = Code::corrupt,
          .what = step + ": " + words(state_->a),
          .next_step = "try again; if it happens again, the machine is broken"};
}

Result<TarReader> TarReader::open(Packing packing, Source source) {
  if (auto loaded = load_libarchive(); !loaded) return fail(std::move(loaded).error());
  std::unique_ptr<State, Free> state(new State{lib().archive_read_new(), std::move(source)});
  archive* a = state->a;
  TarReader reader(std::move(state));
  // Only what was asked for: each further format is a parser that a hostile machine could reach.
  int rc = lib().archive_read_support_format_tar(a);
  if (rc == ARCHIVE_OK && packing == Packing::zstd) rc = lib().archive_read_support_filter_zstd(a);
  if (rc == ARCHIVE_OK && packing == Packing::gzip) rc = lib().archive_read_support_filter_gzip(a);
  if (rc == ARCHIVE_OK) rc = lib().archive_read_open(a, reader.state_.get(), nullptr, &State::read, nullptr);
  if (rc != ARCHIVE_OK) return fail(reader.trouble("reading an archive"));
  return reader;
}

Result<std::optional<TarEntry>> TarReader::next() {
  archive_entry* entry = nullptr;
  const int rc = lib().archive_read_next_header(state_->a, &entry);
  if (rc == ARCHIVE_EOF) return std::optional<TarEntry>();
  if (rc < ARCHIVE_WARN) return fail(trouble("reading an archive"));
  TarEntry found;
  if (const char* path = lib().archive_entry_pathname(entry); path != nullptr) found.path = path;
  found.is_file =
      lib().archive_entry_filetype(entry) == AE_IFREG && lib().archive_entry_hardlink(entry) == nullptr;
  if (lib().archive_entry_size_is_set(entry) && lib().archive_entry_size(entry) >= 0)
    found.size = static_cast<std::uint64_t>(lib().archive_entry_size(entry));
  return found;
}

Result<std::string_view> TarReader::data() {
  for (;;) {
    const void* piece = nullptr;
    std::size_t size = 0;
    la_int64_t offset = 0;
    const int rc = lib().archive_read_data_block(state_->a, &piece, &size, &offset);
    if (rc == ARCHIVE_EOF) return std::string_view();
    if (rc < ARCHIVE_WARN) return fail(trouble("reading an archive"));
    if (size > 0) return std::string_view(static_cast<const char*>(piece), size);
  }
}

}  // namespace vastgpu
