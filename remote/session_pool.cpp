#include "remote/session_pool.h"

#include <algorithm>
#include <system_error>

#include "core/log.h"

namespace vastgpu {
namespace {

constexpr std::size_t kMostPerMachine = 2;  // one to work with, one beside it; bulk work opens its own
constexpr std::size_t kMostInAll = 64;
constexpr std::size_t kMostLingering = 2;  // commands that were given up on; servers allow ten at once

}  // namespace

std::unique_ptr<SshSession> SessionPool::take(const Endpoint& at, const std::string& fingerprint) {
  for (;;) {
    std::list<Idle> found;
    {
      const std::scoped_lock hold(mutex_);
      const auto one = std::ranges::find_if(
          idle_, [&](const Idle& i) { return i.at == at && i.session->fingerprint() == fingerprint; });
      if (one == idle_.end()) return nullptr;
      found.splice(found.end(), idle_, one);
    }
    if (found.front().session->looks_alive()) return std::move(found.front().session);
  }
}

void SessionPool::put(const Endpoint& at, std::unique_ptr<SshSession> session) {
  if (!session || !session->looks_alive() || session->release_lingering() > kMostLingering) return;
  session->open_ahead();
  std::list<Idle> closing;  // closed without the lock
  const auto now = Clock::now();
  const std::scoped_lock hold(mutex_);
  idle_.push_front({at, std::move(session), now, now});
  std::size_t same = 0, all = 0;
  for (auto i = idle_.begin(); i != idle_.end();) {
    const bool one_too_many = (i->at == at && ++same > kMostPerMachine) || ++all > kMostInAll;
    const auto next = std::next(i);
    if (one_too_many) closing.splice(closing.end(), idle_, i);
    i = next;
  }
  if (!tender_.joinable()) try {
      tender_ = std::jthread([this](const std::stop_token& stop) { tend(stop); });
    } catch (const std::system_error& e) {
      log_fact("ssh-pool no thread: ", e.what());  // an idle session is then checked only when it is taken
    }
}

std::size_t SessionPool::size() const {
  const std::scoped_lock hold(mutex_);
  return idle_.size();
}

std::size_t SessionPool::signs_of_life() const {
  const std::scoped_lock hold(mutex_);
  return signs_;
}

void SessionPool::tend(const std::stop_token& stop) {
  std::unique_lock hold(mutex_);
  while (!stop.stop_requested()) {
    changed_.wait_for(hold, stop, times_.keep_alive / 4, [] { return false; });
    const auto now = Clock::now();
    std::list<Idle> due, closing;
    for (auto i = idle_.begin(); i != idle_.end();) {
      const auto next = std::next(i);
      if (now - i->since >= times_.idle || !i->session->looks_alive())
        closing.splice(closing.end(), idle_, i);
      else if (now - i->asked >= times_.keep_alive)
        due.splice(due.end(), idle_, i);
      i = next;
    }
    if (due.empty() && closing.empty()) continue;
    hold.unlock();
    closing.clear();
    std::erase_if(due, [&](Idle& i) {
      i.asked = now;
      return !i.session->keep_alive();
    });
    hold.lock();
    signs_ += due.size();
    idle_.splice(idle_.end(), due);
  }
}

}  // namespace vastgpu
