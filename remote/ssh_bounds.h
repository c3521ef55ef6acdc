#pragma once
// What the other side of an SSH session can make libssh2 do. The library reads until the socket is empty and
// keeps every packet that nobody asked for, before the login as well: these bounds end both. One thread at a
// time, as the session.

#include <libssh2.h>

#include <cstddef>
#include <cstdint>

namespace vastgpu {

class SshBounds {
 public:
  /// Bytes that a session may hold besides what its channels' windows let in.
  static constexpr std::size_t kOwn = 24 * 1024 * 1024;
  /// Bytes taken off the socket in one call; then the caller looks at its limit and calls again.
  static constexpr std::size_t kOneCall = 1024 * 1024;
  /// Bytes before the end of the SSH greeting.
  static constexpr std::size_t kGreeting = 64 * 1024;

  SshBounds() = default;
  SshBounds(const SshBounds&) = delete;
  SshBounds& operator=(const SshBounds&) = delete;

  /// A session under these bounds, which must outlive it; nullptr: no memory.
  LIBSSH2_SESSION* start();

  void next_call() { left_ = kOneCall; }
  /// A channel may have so many bytes under way to us, or no longer.
  void grant(std::size_t window) { granted_ += window; }
  void take_back(std::size_t window) { granted_ -= window < granted_ ? window : granted_; }

  /// What was exceeded, for people; nullptr: nothing. The session is of no use any more then.
  const char* exceeded() const { return exceeded_; }
  std::size_t in_use() const { return in_use_; }

 private:
  static void* allocate(std::size_t size, void** abstract);
  static void* reallocate(void* block, std::size_t size, void** abstract);
  static void release(void* block, void** abstract);
  static ssize_t receive(libssh2_socket_t socket, void* into, std::size_t size, int flags, void** abstract);
  bool fits(std::size_t more);

  std::size_t in_use_ = 0, granted_ = 0;
  std::size_t left_ = kOneCall;
  bool greeting_ = true;
  std::size_t greeted_ = 0;
  const char* exceeded_ = nullptr;
};

}  // namespace vastgpu
