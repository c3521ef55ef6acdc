#include "remote/pieces.h"

#include <algorithm>

namespace vastgpu {

void Pieces::add(std::size_t file, const std::vector<Range>& missing) {
  const std::scoped_lock hold(mutex_);
  File& f = state_[file];
  for (const Range& r : missing) {
    f.todo.push_back(r);
    left_ += r.size();
  }
  news_.notify_all();
}

void Pieces::no_more() {
  const std::scoped_lock hold(mutex_);
  no_more_ = true;
  news_.notify_all();
}

std::optional<FetchPiece> Pieces::take(std::size_t lanes) {
  constexpr std::uint64_t kSmallest = 1 << 20;  // bytes; a piece costs the machine about 5 ms of starting dd
  const std::scoped_lock hold(mutex_);
  for (std::size_t i = 0; i < state_.size(); ++i) {
    File& f = state_[i];
    if (f.dropped || f.todo.empty()) continue;
    Range& front = f.todo.front();
    const std::uint64_t fair = left_ / (4 * std::max<std::size_t>(lanes, 1));
    const std::uint64_t size =
        std::min({front.size(), largest_, std::max(fair, std::min(kSmallest, largest_))});
    const FetchPiece piece{i, {front.from, front.from + size}};
    front.from += size;
    if (front.size() == 0) f.todo.pop_front();
    left_ -= size;
    ++f.away;
    return piece;
  }
  return std::nullopt;
}

bool Pieces::finished() const {
  return no_more_ && std::ranges::all_of(
                         state_, [](const File& f) { return f.away == 0 && (f.dropped || f.todo.empty()); });
}

bool Pieces::wait(std::stop_token stop) {
  std::unique_lock hold(mutex_);
  const auto some = [&] {
    return finished() ||
           std::ranges::any_of(state_, [](const File& f) { return !f.dropped && !f.todo.empty(); });
  };
  return news_.wait(hold, stop, some) && !finished();
}

void Pieces::done(const FetchPiece& piece) {
  const std::scoped_lock hold(mutex_);
  --state_[piece.file].away;
  news_.notify_all();
}

void Pieces::give_back(const FetchPiece& piece) {
  const std::scoped_lock hold(mutex_);
  File& f = state_[piece.file];
  --f.away;
  if (!f.dropped && piece.range.size() > 0) {
    f.todo.push_front(piece.range);
    left_ += piece.range.size();
  }
  news_.notify_all();
}

void Pieces::drop(std::size_t file) {
  const std::scoped_lock hold(mutex_);
  File& f = state_[file];
  for (const Range& r : f.todo) left_ -= r.size();
  f.todo.clear();
  f.dropped = true;
  news_.notify_all();
}

bool Pieces::dropped(std::size_t file) const {
  const std::scoped_lock hold(mutex_);
  return state_[file].dropped;
}

std::uint64_t Pieces::left() const {
  const std::scoped_lock hold(mutex_);
  return left_;
}

}  // namespace vastgpu
