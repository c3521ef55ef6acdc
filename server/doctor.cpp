#include "server/doctor.h"

#include <cstdio>

#include "analysis/analyse.h"
#include "core/files.h"
#include "core/text.h"
#include "server/install_command.h"

namespace vastgpu {
namespace {

class Findings {
 public:
  void good(const std::string& what) { std::printf("ok    %s\n", clean_line(what, 500).c_str()); }
  void bad(const std::string& what, const std::string& fix) {
    std::printf("BAD   %s\n      fix: %s\n", clean_line(what, 500).c_str(), clean_line(fix, 500).c_str());
    all_well_ = false;
  }
  void take(const Error& e) { bad(e.what, e.next_step); }
  bool all_well() const { return all_well_; }

 private:
  bool all_well_ = true;
};

void check_state(House& house, Findings& f) {
  const auto probe = house.settings().state_folder / "doctor-probe";
  if (auto written = replace_file(probe, "probe\n", 0600); !written) return f.take(written.error());
  std::error_code ignored;
  std::filesystem::remove(probe, ignored);
  f.good("state folder " + house.settings().state_folder.string() + " is writable");
}

void check_account(House& house, Findings& f) {
  auto account = house.market().account({});
  if (!account) return f.take(account.error());
  f.good("the marketplace " + house.settings().api_url + " answers; account " + to_string(account->id) +
         ", credit " + money(account->credit));
  if (account->credit.value <= 0)
    f.bad("the account has no credit", "add credit on the billing page of the marketplace");
  auto keys = house.market().account_keys({});
  if (!keys) return f.take(keys.error());
  auto mine = house.connector().public_key();
  if (!mine) return;
  const auto body = [](const std::string& key) {
    const auto parts = split(std::string(trim(key)), ' ');
    return parts.size() > 1 ? parts[1] : key;
  };
  const bool known =
      std::ranges::any_of(*keys, [&](const SshKey& k) { return body(k.public_key) == body(*mine); });
  f.good(known ? "the account knows this SSH key"
               : "the account does not know this SSH key yet; rent registers it");
}

void check_limits_file(const House& house, Findings& f) {
  const std::string file = house.settings_file().string();
  auto settings = read_settings(file);
  if (!settings) return f.take(settings.error());
  const AccountLimits* limits = &settings->limits;
  const auto dollars = [](const char* key, const std::optional<Usd>& limit) {
    return limit ? text(", ", key, " ", money(*limit)) : std::string();
  };
  const std::string set = dollars("max_usd_per_rental", limits->per_rental) +
                          dollars("max_usd_per_day", limits->per_day) +
                          dollars("max_usd_open", limits->open) +
                          (limits->machines ? text(", max_machines ", *limits->machines) : "");
  f.good(limits->sets_dollars() ? "limits from " + file + set
                                : text("no dollar limit in ", file, ": the defaults hold (",
                                       money(kDefaultPerRental), " a rental, ", money(kDefaultPerDay),
                                       " a day; a project's max_budget goes "
                                       "before)",
                                       set));
}

void check_keeper(House& house, const Deps* deps, Findings& f) {
  const auto account = house.known_account();
  const auto holder = account ? house.keeper_seat(*account).holder() : std::nullopt;
  const auto settings = read_settings(house.settings_file());
  const auto open = deps ? deps->ledger.rentals(true) : std::vector<Rental>{};
  const std::size_t rentals = open ? open->size() : 0;
  const std::string off = house.settings().keeper_off     ? "by VAST_GPU_KEEPER"
                          : settings && !settings->keeper ? "by " + house.settings_file().string()
                                                          : "";
  if (holder)
    f.good("the keeper runs: " + to_words(*holder));
  else if (!off.empty())
    f.good("the keeper is switched off " + off +
           "; what is over ends with its lease, vast-gpu reap or destroy");
  else if (rentals == 0)
    f.good("no keeper runs, and none is needed: nothing is rented");
  else
    f.bad(text("no keeper runs, although ", rentals, " rental", rentals == 1 ? "" : "s", " may bill"),
          "run vast-gpu keep --detached; " + (house.settings().state_folder / "keeper.log").string() +
              " says why the last one ended");
  const std::string timer = installed_keeper(house);
  f.good(timer.empty()
             ? "no timer looks after rentals when nothing of ours runs; vast-gpu install keeper adds one"
             : "a timer looks after rentals: " + timer);
}

}  // namespace

int doctor(House& house) {
  Findings f;
  check_state(house, f);
  check_limits_file(house, f);
  auto key = house.key();
  if (key)
    f.good("API key from " + key->place);
  else
    f.take(key.error());
  auto ssh = house.connector().public_key();
  if (ssh)
    f.good("SSH key: " + *ssh);
  else
    f.take(ssh.error());
  if (key) check_account(house, f);
  auto project = house.project(std::nullopt);
  if (!project) {
    f.take(project.error());
  } else {
    const ProjectSettings settings = read_project_settings(*project);
    f.good("project " + project->string() +
           (settings.source.empty() ? ", no CLAUDE.md or AGENTS.md" : ", settings from " + settings.source) +
           (settings.max_budget ? ", max_budget " + money(*settings.max_budget) : ", no max_budget"));
    for (const std::string& warning : settings.warnings) f.bad(warning, "correct that line");
    if (auto entries = InstanceFile(*project, house.settings().state_folder / "locks").read(); entries)
      f.good("vast-instances.json: " + std::to_string(entries->size()) + " entries");
    else
      f.take(entries.error());
  }
  if (key) {
    auto deps = house.open({});
    if (deps)
      f.good("the ledger opens");
    else
      f.take(deps.error());
    check_keeper(house, deps ? &*deps : nullptr, f);
  }
  std::printf("%s\n", f.all_well() ? "all is well" : "something needs attention: see above");
  return f.all_well() ? 0 : 1;
}

}  // namespace vastgpu
