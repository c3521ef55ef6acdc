#include "remote/ssh_bounds.h"

#include <malloc.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

namespace vastgpu {
namespace {

SshBounds& of(void** abstract) { return *static_cast<SshBounds*>(*abstract); }

}  // namespace

LIBSSH2_SESSION* SshBounds::start() {
  LIBSSH2_SESSION* session = ::libssh2_session_init_ex(&allocate, &release, &reallocate, this);
  if (session != nullptr)
    ::libssh2_session_callback_set(session, LIBSSH2_CALLBACK_RECV, reinterpret_cast<void*>(&receive));
  return session;
}

bool SshBounds::fits(std::size_t more) {
  // Twice the windows: small packets need as much again for themselves.
  const std::size_t most = kOwn + 2 * granted_;
  if (in_use_ <= most && more <= most - in_use_) return true;
  exceeded_ = "the server sent far more than it was asked for";
  return false;
}

// Blocks are measured by what malloc says, since a signature that the library frees comes from malloc itself.
void* SshBounds::allocate(std::size_t size, void** abstract) {
  SshBounds& b = of(abstract);
  if (!b.fits(size)) return nullptr;
  void* block = std::malloc(size);
  if (block != nullptr) b.in_use_ += ::malloc_usable_size(block);
  return block;
}

void* SshBounds::reallocate(void* block, std::size_t size, void** abstract) {
  SshBounds& b = of(abstract);
  const std::size_t before = block == nullptr ? 0 : ::malloc_usable_size(block);
  if (size > before && !b.fits(size - before)) return nullptr;
  void* moved = std::realloc(block, size);
  if (moved != nullptr) b.in_use_ += ::malloc_usable_size(moved) - std::min(before, b.in_use_);
  return moved;
}

void SshBounds::release(void* block, void** abstract) {
  if (block == nullptr) return;
  SshBounds& b = of(abstract);
  b.in_use_ -= std::min(b.in_use_, ::malloc_usable_size(block));
  std::free(block);
}

ssize_t SshBounds::receive(libssh2_socket_t socket, void* into, std::size_t size, int flags,
                           void** abstract) {
  SshBounds& b = of(abstract);
  b.greeting_ = b.greeting_ && size == 1;  // the library reads the greeting, and nothing else, byte by byte
  if (b.greeting_ && b.greeted_ >= kGreeting) {
    b.exceeded_ = "the server talks without end and does not greet as SSH does";
    return -ECONNABORTED;
  }
  if (b.left_ == 0) return -EAGAIN;
  const ssize_t got = ::recv(socket, into, std::min(size, b.left_), flags);
  if (got < 0) return errno == EWOULDBLOCK || errno == EINTR ? -EAGAIN : -errno;
  b.left_ -= static_cast<std::size_t>(got);
  if (b.greeting_) b.greeted_ += static_cast<std::size_t>(got);
  return got;
}

}  // namespace vastgpu
