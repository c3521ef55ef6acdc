#include "server/keep_command.h"

#include <unistd.h>

#include <cstdio>

#include "core/log.h"
#include "core/text.h"
#include "server/detach.h"
#include "server/keeper.h"
#include "server/keeper_log.h"

namespace vastgpu {
namespace {

int refuse(const Error& e) {
  log_fact("keeper cannot start: ", e.what, e.next_step.empty() ? "" : "; " + e.next_step);
  return 2;
}

int stay_away(const std::string& why) {
  std::printf("%s\n", clean_line(why, 500).c_str());
  return 0;
}

/// Why no keeper of its own accord may run.
std::optional<std::string> switched_off(const House& house) {
  if (house.settings().keeper_off) return "no keeper: VAST_GPU_KEEPER is off";
  const auto settings = read_settings(house.settings_file());
  if (settings && !settings->keeper)
    return "no keeper: " + house.settings_file().string() + " says keeper: false";
  return std::nullopt;  // a file that cannot be read switches nothing off
}

}  // namespace

int keep_command(std::unique_ptr<House> house, bool detached) {
  if (detached) close_inherited();
  const KeeperLog log(house->settings().state_folder);
  set_log_sink([log](const std::string& line) { log.write(line); });
  if (detached)
    if (const auto why = switched_off(*house)) return stay_away(*why);
  if (auto key = house->key(); !key) return refuse(key.error());
  // The marketplace is asked in a child, so that this process never holds what that takes.
  if (!house->known_account()) (void)run_in_child([&] { return house->account({}) ? 0 : 2; });
  const auto account = house->known_account();
  if (!account)
    return refuse({.what = "which account the key belongs to is not known, and the marketplace did not say",
                   .next_step = "run vast-gpu doctor"});
  const KeeperSeat seat = house->keeper_seat(*account);
  const auto occupied = [](const KeeperHolder& holder) {
    return stay_away("a keeper runs already: " + to_words(holder));
  };
  if (const auto holder = seat.holder(); holder && holder->lives()) return occupied(*holder);
  auto lock = seat.take();
  if (!lock) {
    if (const auto holder = seat.holder()) return occupied(*holder);
    return refuse(lock.error());
  }
  if (detached) {
    std::printf("the keeper runs; it writes to %s\n", log.path().c_str());
    std::fflush(stdout);
    detach();
  }
  if (auto signed_in = KeeperSeat::sign(*lock); !signed_in) return refuse(signed_in.error());
  house->act_as(text("keeper ", ::getpid()));
  log_fact("keeper begins version=", VASTGPU_VERSION, " account=", to_string(*account),
           " marketplace=", house->settings().api_url);
  return Keeper(std::move(house), seat, *std::move(lock), {.detached = detached}).run();
}

}  // namespace vastgpu
