#include "core/files.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <pwd.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "core/crash_point.h"
#include "core/fd.h"
#include "core/text.h"

namespace vastgpu {
namespace {

Error io_error(const std::string& what, const std::filesystem::path& path, int number) {
  const Code code = number == ENOENT ? Code::not_found : Code::unavailable;
  return {.code = code,
          .what = what + " " + path.string() + ": " + std::strerror(number),
          .next_step = number == ENOSPC ? "free some disk space" : "check the path and its permissions"};
}

Result<void> write_all(int fd, std::string_view data, const std::filesystem::path& path) {
  while (!data.empty()) {
    const ssize_t n = ::write(fd, data.data(), data.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(io_error("cannot write", path, errno));
    data.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

struct FreeDigest {
  void operator()(EVP_MD_CTX* c) const { EVP_MD_CTX_free(c); }
};

std::string hex(const unsigned char* data, unsigned size) {
  std::string out;
  for (unsigned i = 0; i < size; ++i) {
    char two[3];
    std::snprintf(two, sizeof two, "%02x", data[i]);
    out += two;
  }
  return out;
}

}  // namespace

Result<std::string> read_file(const std::filesystem::path& path, std::size_t max_bytes) {
  // O_NONBLOCK: opening a pipe that nobody writes must not hang.
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return fail(io_error("cannot open", path, errno));
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return fail(io_error("cannot read", path, errno));
  if (!S_ISREG(info.st_mode))
    return fail({.code = Code::invalid_argument,
                 .what = path.string() + " is not a regular file",
                 .next_step = "name a file"});
  std::string content;
  char buffer[65536];
  for (;;) {
    const ssize_t n = ::read(fd.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(io_error("cannot read", path, errno));
    if (n == 0) return content;
    content.append(buffer, static_cast<std::size_t>(n));
    if (content.size() > max_bytes)
      return fail({.code = Code::invalid_argument,
                   .what = path.string() + " is larger than " + bytes(max_bytes),
                   .next_step = "name a smaller file"});
  }
}

Result<void> replace_file(const std::filesystem::path& path, std::string_view content, unsigned mode) {
  std::error_code bad;
  const auto folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  std::filesystem::create_directories(folder, bad);
  const auto temporary = folder / ("." + path.filename().string() + "." + random_hex(6) + ".tmp");
  const auto give_up = [&](const std::string& what, int number) {
    ::unlink(temporary.c_str());
    return fail(io_error(what, path, number));
  };
  {
    const CrashPoints crash("disk");
    const Fd fd(
        ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, static_cast<mode_t>(mode)));
    if (!fd) return fail(io_error("cannot create", temporary, errno));
    if (auto written = write_all(fd.get(), content, path); !written) {
      ::unlink(temporary.c_str());
      return written;
    }
    if (::fsync(fd.get()) != 0) return give_up("cannot sync", errno);
  }
  const CrashPoints crash("disk");
  if (::rename(temporary.c_str(), path.c_str()) != 0) return give_up("cannot replace", errno);
  const Fd parent(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (parent) ::fsync(parent.get());
  return {};
}

std::string sha256_hex(std::string_view data) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_Digest(data.data(), data.size(), digest, &size, EVP_sha256(), nullptr);
  return hex(digest, size);
}

Result<std::string> sha256_file(const std::filesystem::path& path) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return fail(io_error("cannot open", path, errno));
  const std::unique_ptr<EVP_MD_CTX, FreeDigest> digest(EVP_MD_CTX_new());
  EVP_DigestInit_ex(digest.get(), EVP_sha256(), nullptr);
  char buffer[131072];
  for (;;) {
    const ssize_t n = ::read(fd.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(io_error("cannot read", path, errno));
    if (n == 0) break;
    EVP_DigestUpdate(digest.get(), buffer, static_cast<std::size_t>(n));
  }
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_DigestFinal_ex(digest.get(), out, &size);
  return hex(out, size);
}

std::filesystem::path home_folder() {
  if (const char* home = std::getenv("HOME"); home != nullptr && *home == '/') return home;
  if (const passwd* user = ::getpwuid(::getuid()); user != nullptr) return user->pw_dir;
  return "/";
}

}  // namespace vastgpu
