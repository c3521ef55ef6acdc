#include "server/stretch.h"

#include <unistd.h>

#include "core/log.h"
#include "core/text.h"
#include "fleet/reap.h"

namespace vastgpu {
namespace {

constexpr auto kUsualPause = std::chrono::minutes(1);
constexpr auto kShortPause = std::chrono::seconds(20);  // the account has 5 requests in 10 s for everything
// Renewal wants the last minutes of a lease; a guard that is late, and a rescue, the first ones after it.
constexpr auto kBeforeEnd = std::chrono::minutes(3);
constexpr auto kAfterEnd = std::chrono::minutes(10);
// A rental that a call works on is left to it; the next pass comes soon.
constexpr auto kPatience = std::chrono::minutes(2);

/// Says what was not said in the last pass.
void tell(const PassReport& report, KeeperBoard& board) {
  std::vector<std::uint64_t> now;
  const auto say = [&](const std::string& line) {
    now.push_back(std::max<std::uint64_t>(1, std::hash<std::string>{}(line)));
    if (std::ranges::find(board.told, now.back()) == board.told.end()) log_fact(line);
  };
  if (!report.trouble.empty()) say("unknown: " + report.trouble);
  for (const PassLine& line : report.ours) {
    std::string words = text("rental label=", line.label);
    if (line.instance) words += " instance=" + to_string(*line.instance);
    words += ": " + line.did;
    if (!line.lost.empty()) words += "; LOST: " + line.lost;
    if (!line.next_step.empty()) words += "; " + line.next_step;
    say(words);
  }
  board.told.fill(0);
  std::copy_n(now.begin(), std::min(now.size(), board.told.size()), board.told.begin());
}

}  // namespace

TimePoint next_look(const std::vector<Rental>& open, TimePoint now) {
  const bool soon = std::ranges::any_of(open, [&](const Rental& r) {
    return now >= r.lease_end - kBeforeEnd && now <= r.lease_end + kAfterEnd;
  });
  return now + (soon ? Duration(kShortPause) : Duration(kUsualPause));
}

int keep_once(House& house, KeeperBoard& board, std::stop_token stop) {
  auto deps = house.open(stop);
  if (!deps) {
    PassReport unknown;
    unknown.trouble = deps.error().what;
    tell(unknown, board);
    return unknown.exit_code();
  }
  ReapRequest request;
  request.patience = kPatience;
  const PassReport report = reap(*deps, request, std::move(stop));
  tell(report, board);
  const TimePoint now = deps->clock.now();
  const auto open = deps->ledger.rentals(true);
  board.next_look = next_look(open.value_or(std::vector<Rental>{}), now).time_since_epoch().count();
  const int code = report.exit_code();
  board.refused = report.refused ? board.refused + 1 : 0;
  return code;
}

bool anything_open(House& house) {
  auto deps = house.open({});
  if (!deps) return true;
  const auto open = deps->ledger.rentals(true);
  return !open || !open->empty();
}

}  // namespace vastgpu
