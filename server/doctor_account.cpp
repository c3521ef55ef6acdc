// What only the marketplace can say, and what the ledger says about rentals.

#include "core/text.h"
#include "fleet/layers.h"
#include "market/reach.h"
#include "server/doctor.h"
#include "server/install_command.h"

namespace vastgpu {
namespace {

// The ends of rentals are compared with this clock; a lease has half an hour in reserve.
constexpr double kSkewSeconds = 120;

std::string body_of(const std::string& key) {
  const auto parts = split(std::string(trim(key)), ' ');
  return parts.size() > 1 ? parts[1] : key;
}

/// What to say where the time was up.
void take(Checkup& f, const char* check, const Error& e) {
  if (e.code != Code::cancelled) return f.take(check, e);
  f.bad(check, text(check, ": the marketplace did not answer in time"), "vast-gpu doctor, again later");
}

void check_ssh_registered(House& house, const std::stop_token& stop, Checkup& f) {
  auto keys = house.market().account_keys(stop);
  if (!keys) return take(f, "ssh-key", keys.error());
  auto mine = house.connector().public_key();
  if (!mine) return;
  const bool known =
      std::ranges::any_of(*keys, [&](const SshKey& k) { return body_of(k.public_key) == body_of(*mine); });
  f.good("ssh-key", known ? "the account knows this SSH key"
                          : "the account does not know this SSH key yet; rent registers it");
}

/// ", last pass 40 s ago", in our time.
std::string last_pass(const std::optional<Deps>& deps) {
  const auto reports = deps ? deps->ledger.layers("") : std::vector<LayerReport>{};
  const auto at = reports ? last_report(*reports, kKeeperLayer) : std::nullopt;
  if (!at) return ", no pass yet";
  const double seconds = std::chrono::duration<double>(deps->clock.now() - *at).count();
  return ", last pass " + fixed(std::max(0.0, seconds), 0) + " s ago";
}

}  // namespace

void check_network(House& house, const std::stop_token& stop, Checkup& f) {
  const std::string& url = house.settings().api_url;
  const TimePoint asked = house.clock().now();
  const auto reach = reach_marketplace(url, house.settings().ca_file, stop);
  if (!reach) return take(f, "network", reach.error());
  const TimePoint answered = house.clock().now();
  f.good("network", "the marketplace " + url + " answers");
  if (!reach->date)
    return f.note("clock", "the marketplace did not say what time it is; this clock was not compared");
  // Its clock was read between the two of ours, to the second.
  const auto at = *reach->date;
  const auto off = at < asked ? asked - at : at > answered ? at - answered : Duration{};
  const double seconds = std::chrono::duration<double>(off).count();
  if (seconds > kSkewSeconds)
    f.bad("clock", text("this computer's clock is ", fixed(seconds, 0), " s off the marketplace's"),
          "timedatectl set-ntp true");
  else
    f.good("clock", "this computer's clock agrees with the marketplace's to " +
                        fixed(std::max(1.0, seconds), 0) + " s");
}

void check_account(House& house, const std::stop_token& stop, Checkup& f) {
  if (!house.key()) return;  // said already
  auto account = house.market().account(stop);
  if (!account) {
    take(f, "account", account.error());
  } else {
    f.good("account", "account " + to_string(account->id) + ", credit " + money(account->credit));
    if (account->credit.value <= 0)
      f.bad("credit", "the account has no credit", "add credit on the billing page of the marketplace");
  }
  check_ssh_registered(house, stop, f);
  // What a key may write cannot be tried without writing; that it reads all three says most of it. Two-factor
  // login shows in these answers too.
  const auto instances = house.market().instances(stop);
  if (!instances)
    take(f, "rights", instances.error());
  else
    f.good("rights", text("the key reads the account's instances: ", instances->size()));
}

void check_rentals(House& house, const std::stop_token& stop, Checkup& f) {
  std::optional<Deps> deps;
  if (house.key()) {
    auto opened = house.open(stop);
    if (opened) {
      deps.emplace(*opened);
      f.good("ledger", "the ledger opens");
    } else {
      take(f, "ledger", opened.error());
    }
  }
  const auto account = house.known_account();
  const auto holder = account ? house.keeper_seat(*account).holder() : std::nullopt;
  const auto settings = read_settings(house.settings_file());
  const auto open = deps ? deps->ledger.rentals(true) : std::vector<Rental>{};
  const std::size_t rentals = open ? open->size() : 0;
  const std::string off = house.settings().keeper_off     ? "by VAST_GPU_KEEPER"
                          : settings && !settings->keeper ? "by " + house.settings_file().string()
                                                          : "";
  if (holder)
    f.good("keeper", "the keeper runs: " + to_words(*holder) + last_pass(deps));
  else if (!off.empty())
    f.good("keeper", "the keeper is switched off " + off +
                         "; what is over ends with its lease, vast-gpu reap or destroy");
  else if (!open || !deps)
    f.note("keeper", "no keeper runs; whether one is needed is unknown, since the ledger could not be asked",
           "vast-gpu doctor, when the above is mended");
  else if (rentals == 0)
    f.good("keeper", "no keeper runs, and none is needed: nothing is rented");
  else
    f.bad("keeper",
          text("no keeper runs, although ", rentals, " rental", rentals == 1 ? "" : "s", " may bill"),
          "vast-gpu keep --detached (" + (house.settings().state_folder / "keeper.log").string() +
              " says why the last one ended)");
  const std::string timer = installed_keeper(house);
  if (timer.empty())
    f.note("timer", "no timer looks after rentals when nothing of ours runs", "vast-gpu install keeper");
  else
    f.good("timer", "a timer looks after rentals: " + timer);
}

}  // namespace vastgpu
