#include "server/stretch.h"

#include <unistd.h>

#include "core/log.h"
#include "core/text.h"
#include "fleet/reap.h"
#include "server/ledger_tasks.h"
#include "server/tasks.h"
#include "tools/all_tools.h"

namespace vastgpu {
namespace {

constexpr auto kUsualPause = std::chrono::minutes(1);
constexpr auto kShortPause = std::chrono::seconds(20);  // the account has 5 requests in 10 s for everything
// Renewal wants the last minutes of a lease; a guard that is late, and a rescue, the first ones after it.
constexpr auto kBeforeEnd = std::chrono::minutes(3);
constexpr auto kAfterEnd = std::chrono::minutes(10);
// A rental that a call works on is left to it; the next pass comes soon.
constexpr auto kPatience = std::chrono::minutes(2);
constexpr auto kLongestEnd =
    std::chrono::minutes(5);  // of a pass; the next one goes on, and leases are looked at between

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

/// A destroy that was begun as a task bills on where its server died: nobody else goes on with it unasked.
void carry_on_ends(House& house, const std::stop_token& stop) {
  LedgerTasks store(ledger_of(house));
  const auto asked_for = store.working("destroy");
  if (!asked_for || asked_for->empty()) return;
  const std::vector<Tool> tools{destroy_tool(house)};
  const TaskParts parts{&store, tools_as_tasks()};
  Tasks tasks(tools, parts);
  for (const StoredTask& task : *asked_for)
    (void)tasks.state(task.id);  // those that a server holds stay its own
  tasks.await_idle(house.clock().real_until(house.clock().now() + kLongestEnd), stop);
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
  const PassReport report = reap(*deps, request, stop);
  carry_on_ends(house, stop);
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
