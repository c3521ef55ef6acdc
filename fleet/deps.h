#pragma once
// What fleet/ works with: the outside world as references, handed in. Nothing here reads time, network or
// environment by another way.

#include <filesystem>
#include <functional>
#include <stop_token>
#include <string>

#include "core/account_settings.h"
#include "core/clock.h"
#include "market/market.h"
#include "remote/shell.h"
#include "state/instance_file.h"
#include "state/ledger.h"
#include "state/lock.h"

namespace vastgpu {

struct FleetSettings {
  std::filesystem::path state_folder;        ///< locks live here
  std::filesystem::path settings_file = {};  ///< where `account` comes from
  /// As read for this call; an error: nothing may be spent.
  Result<AccountSettings> account = AccountSettings{};
  bool keeper_off = false;             ///< switched off in the environment: its silence is no alarm
  std::filesystem::path ssh_key = {};  ///< for people's own ssh; empty: what it takes by itself
  std::string owner = {};  ///< tells rentals of this computer and state folder from those of another
  std::string api_url = "https://console.vast.ai";  ///< what the guard on the machine calls
  /// One limit for the whole boot. Shorter ones throw half-done image pulls away and never converge.
  Duration boot_limit = std::chrono::minutes(15);
  Duration poll_every = std::chrono::seconds(10);  ///< the account has 5 requests per 10 s for everything
};

struct Deps {
  Market& market;
  Connector& ssh;
  Ledger& ledger;
  Clock& clock;
  FleetSettings settings;
  std::function<void()> on_intent = {};  ///< an intent is on disk: from now on something may bill
};

/// How long a caller waits, how it stops us, and whom to tell. The work itself goes on in the next call.
struct Caller {
  std::stop_token stop;
  TimePoint until{};  ///< clock time
  ProgressFn progress = [](double, const std::string&) {};
};

}  // namespace vastgpu
