#pragma once
// Where a test may kill the program: before and after everything that it writes to ledger, disk, marketplace
// and machine. The program itself links an empty body; tests/support/crash_switch.cpp has the one that kills.

namespace vastgpu {

/// `what`: the kind of write ("ledger", "disk", "api", "ssh"); `moment`: "before" or "after" it.
/// Must not be called between a fork and an exec.
void crash_point(const char* what, const char* moment);

/// Both moments of one write.
class CrashPoints {
 public:
  explicit CrashPoints(const char* what) : what_(what) { crash_point(what_, "before"); }
  ~CrashPoints() { crash_point(what_, "after"); }
  CrashPoints(const CrashPoints&) = delete;
  CrashPoints& operator=(const CrashPoints&) = delete;

 private:
  const char* what_;
};

}  // namespace vastgpu
