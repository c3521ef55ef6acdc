#pragma once
// The way to one machine: the session at hand and, for bulk work, more of the same kind.

#include <functional>
#include <memory>

#include "remote/patience.h"
#include "remote/ssh_session.h"

namespace vastgpu {

/// A session while somebody uses it; whoever lent it gets it back afterwards. One thread at a time.
class HeldSession {
 public:
  using GiveBack = std::function<void(std::unique_ptr<SshSession>)>;
  explicit HeldSession(std::unique_ptr<SshSession> session, GiveBack give_back = {})
      : session_(std::move(session)), give_back_(std::move(give_back)) {}
  ~HeldSession() {
    if (session_ && give_back_) give_back_(std::move(session_));
  }
  HeldSession(HeldSession&& other) noexcept = default;
  HeldSession& operator=(HeldSession&&) = delete;

  SshSession& operator*() const { return *session_; }
  SshSession* operator->() const { return session_.get(); }

 private:
  std::unique_ptr<SshSession> session_;
  GiveBack give_back_;
};

/// One thread at a time, except another().
class SshLink {
 public:
  /// Opens, or lends, a session: same address, same pinned host key, logged in. Any thread.
  /// @error unavailable, unauthenticated, corrupt, cancelled  as Connector::connect
  using Open = std::function<Result<HeldSession>(Patience&)>;
  SshLink(HeldSession first, Open open) : open_(std::move(open)) { at_hand_.emplace(std::move(first)); }

  /// The session at hand; a new one in its place when that one broke.
  Result<SshSession*> session(Patience& patience) {
    if (at_hand_ && !(*at_hand_)->broken()) return &**at_hand_;
    at_hand_.reset();
    auto opened = open_(patience);
    if (!opened) return fail(std::move(opened).error());
    at_hand_.emplace(*std::move(opened));
    return &**at_hand_;
  }

  /// One more, for the caller alone. Any thread.
  Result<HeldSession> another(Patience& patience) const { return open_(patience); }

 private:
  Open open_;
  std::optional<HeldSession> at_hand_;
};

}  // namespace vastgpu
