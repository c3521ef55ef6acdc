#pragma once
// What the marketplace asks of its machines. Calls return at once: the work happens behind, in order for each
// instance, so that no lock of the marketplace is held across a process or a disk. Thread-safe.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sandbox/machine.h"

namespace vastgpu::sandbox {

/// How SSH of a machine behaves once it should answer.
enum class SshMood { answers, refuses, silent };

class Room {
 public:
  virtual ~Room() = default;

  /// A fresh machine for the instance `spec.id`; an earlier one of that id is removed with its disk.
  virtual void prepare(MachineSpec spec, SshMood mood) = 0;
  virtual void start(std::int64_t instance) = 0;
  virtual void open_ssh(std::int64_t instance) = 0;
  virtual void stop(std::int64_t instance) = 0;
  virtual void set_keys(std::int64_t instance, std::vector<std::string> keys) = 0;
  /// Its clock jumps to that far ahead.
  virtual void set_clock_skew(std::int64_t instance, double seconds) = 0;
  /// From the next start on sshd listens on another port of the same address.
  virtual void move_ssh(std::int64_t instance, std::uint16_t port) = 0;
  virtual void remove(std::int64_t instance) = 0;

  /// Where the relay of this instance listens on 127.0.0.1; 0 while it does not.
  virtual std::uint16_t relay_port(std::int64_t instance) const = 0;
  /// What the container printed, at most a second old; empty when there is nothing.
  virtual std::string log(std::int64_t instance) const = 0;
  virtual std::uint64_t disk_used(std::int64_t instance) const = 0;
  /// Why the machine could not be made or started; empty while all is well.
  virtual std::string trouble(std::int64_t instance) const = 0;
  /// Instances whose machine runs now.
  virtual std::vector<std::int64_t> running() const = 0;
};

/// No machines: every port refuses.
std::unique_ptr<Room> make_empty_room();
/// Real ones, with their disks below `folder`.
std::unique_ptr<Room> make_machine_room(const std::filesystem::path& folder);

}  // namespace vastgpu::sandbox
