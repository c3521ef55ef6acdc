#include "server/house.h"

#include <sys/stat.h>
#include <unistd.h>

#include "core/conceal.h"
#include "core/files.h"
#include "core/log.h"
#include "core/text.h"
#include "fleet/layers.h"
#include "market/vast_market.h"
#include "remote/ssh_connector.h"
#include "remote/ssh_login.h"
#include "state/ledger_rebuild.h"

namespace vastgpu {
namespace {

std::filesystem::path folder_from(const ReadVariable& variable, const char* name) {
  const auto value = variable(name);
  return value && value->starts_with('/') ? std::filesystem::path(*value) : std::filesystem::path();
}

/// The host of a base URL as a file name: "console.vast.ai", "127.0.0.1-8080".
std::string host_name(const std::string& url) {
  const auto scheme = url.find("://");
  return plain_name(url.substr(scheme == std::string::npos ? 0 : scheme + 3));
}

FileMark mark_of(const std::filesystem::path& file) {
  struct stat info {};
  if (::stat(file.c_str(), &info) != 0) return {};
  return {static_cast<std::uint64_t>(info.st_dev), static_cast<std::uint64_t>(info.st_ino)};
}

}  // namespace

std::optional<std::string> process_variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr || *value == '\0' ? std::nullopt : std::optional<std::string>(value);
}

HouseSettings HouseSettings::from_environment(const ReadVariable& variable) {
  HouseSettings s;
  s.variable = variable;
  s.api_url = variable("VAST_URL").value_or(s.api_url);
  while (s.api_url.ends_with('/')) s.api_url.pop_back();
  s.ca_file = variable("VAST_GPU_CA_FILE").value_or("");
  s.home = home_folder();
  s.state_folder = folder_from(variable, "VAST_GPU_STATE");
  if (s.state_folder.empty()) {
    const auto base = folder_from(variable, "XDG_STATE_HOME");
    s.state_folder = (base.empty() ? s.home / ".local" / "state" : base) / "vast-gpu";
  }
  s.project = folder_from(variable, "VAST_GPU_PROJECT");
  if (s.project.empty()) s.project = folder_from(variable, "CLAUDE_PROJECT_DIR");
  s.ssh_agent = variable("SSH_AUTH_SOCK").value_or("");
  s.ssh_key = variable("VAST_GPU_SSH_KEY").value_or("");
  s.clock = variable("VAST_GPU_CLOCK").value_or("");
  s.keeper_off = variable("VAST_GPU_KEEPER").value_or("") == "off";
  return s;
}

House::House(HouseSettings settings, std::unique_ptr<Clock> clock)
    : settings_(std::move(settings)), clock_(std::move(clock)) {
  if (!settings_.program.empty() && !settings_.keeper_off)
    watch_ = std::make_unique<KeeperWatch>([this] { look_after_keeper(); });
}
House::~House() = default;

Result<std::unique_ptr<House>> House::make(HouseSettings settings) {
  std::unique_ptr<Clock> clock;
  if (settings.clock.empty()) {
    clock = std::make_unique<SystemClock>();
  } else {
    auto scaled = ScaledClock::parse(settings.clock);
    if (!scaled) return fail(std::move(scaled).error());
    clock = std::make_unique<ScaledClock>(*scaled);
  }
  return std::unique_ptr<House>(new House(std::move(settings), std::move(clock)));
}

Result<FoundKey> House::key() const {
  auto found = find_api_key(settings_.variable, settings_.home);
  if (found) conceal_from_now(found->key);
  return found;
}

Market& House::market() {
  const std::scoped_lock hold(opening_);
  if (!market_) {
    VastMarketOptions options;
    options.base_url = settings_.api_url;
    options.ca_file = settings_.ca_file;
    if (auto found = key(); found) options.api_key = found->key;
    market_ = std::make_unique<VastMarket>(std::move(options), *clock_);
  }
  return *market_;
}

Connector& House::connector() {
  const std::scoped_lock hold(opening_);
  if (!connector_) {
    SshOptions options;
    options.ssh_folder = settings_.home / ".ssh";
    options.state_folder = settings_.state_folder;
    options.agent_socket = settings_.ssh_agent;
    if (!settings_.ssh_key.empty()) options.key_file = settings_.ssh_key;
    connector_ = std::make_unique<SshConnector>(std::move(options));
  }
  return *connector_;
}

/// Which account a key belongs to is remembered under a hash, so that the ledger opens without the network.
std::string House::account_mark(const FoundKey& found) const {
  return sha256_hex(settings_.api_url + "\n" + found.key.reveal()).substr(0, 24);
}

json House::known_accounts() const {
  if (auto content = read_file(accounts_file(), 1 << 20); content)
    if (auto parsed = parse_json(*content, accounts_file().string()); parsed && parsed->is_object())
      return *parsed;
  return json::object();
}

/// Of this computer and this state folder; a hash, since it travels to the marketplace.
std::string House::owner() const {
  std::string computer;
  if (auto id = read_file("/etc/machine-id", 4096); id) computer = std::string(trim(*id));
  if (computer.empty()) {
    char name[256] = {};
    if (::gethostname(name, sizeof name - 1) == 0) computer = name;
  }
  return sha256_hex("vast-gpu owner\n" + computer + "\n" + settings_.state_folder.string()).substr(0, 16);
}

std::filesystem::path House::accounts_file() const { return settings_.state_folder / "accounts.json"; }

std::filesystem::path House::ledger_file(AccountId account) const {
  return settings_.state_folder /
         ("ledger-" + host_name(settings_.api_url) + "-" + to_string(account) + ".sqlite");
}

Result<AccountId> House::account(std::stop_token stop) {
  auto found = key();
  if (!found) return fail(std::move(found).error());
  const std::string mark = account_mark(*found);
  json known = known_accounts();
  if (const auto id = read_integer(known, mark.c_str())) return AccountId{*id};
  auto account = market().account(std::move(stop));
  if (!account) return fail(std::move(account).error());
  known[mark] = account->id;
  if (auto written = replace_file(accounts_file(), known.dump(2) + "\n", 0600); !written)
    return fail(std::move(written).error());
  return account->id;
}

std::optional<AccountId> House::known_account() const {
  const auto found = key();
  if (!found) return std::nullopt;
  const auto id = read_integer(known_accounts(), account_mark(*found).c_str());
  return id ? std::optional(AccountId{*id}) : std::nullopt;
}

std::optional<Deps> House::open_known() {
  const auto id = known_account();
  std::error_code missing;
  if (!id || !std::filesystem::exists(ledger_file(*id), missing)) return std::nullopt;
  auto opened = open({});  // the account is known: nothing is asked
  return opened ? std::optional(*opened) : std::nullopt;
}

Ledger* House::known_ledger() {
  const auto id = known_account();
  std::error_code missing;
  if (!id || !std::filesystem::exists(ledger_file(*id), missing) || !open_ledger(*id, true)) return nullptr;
  const std::scoped_lock hold(opening_);
  return ledger_.get();
}

/// Also opens it again when the file was moved aside or removed under us: by then our records go nowhere.
Result<void> House::open_ledger(AccountId account, bool expected) {
  const auto file = ledger_file(account);
  const std::scoped_lock hold(opening_);
  if (ledger_ && mark_of(file) == ledger_mark_) return {};
  auto opened = open_or_rebuild(file, settings_.actor, expected, clock_->now());
  if (!opened) return fail(std::move(opened).error());
  if (auto ours = opened->ledger->pin_account(account); !ours) return ours;
  if (!opened->rebuilt.empty())
    if (auto said = opened->ledger->add_event({clock_->now(), "rebuilt", "", {{"why", opened->rebuilt}}});
        !said)
      return said;
  if (ledger_) replaced_.push_back(std::move(ledger_));
  ledger_ = std::move(opened->ledger);
  ledger_mark_ = mark_of(file);
  return {};
}

void House::look_after_keeper() {
  const auto id = known_account();
  std::error_code missing;
  if (!id || !std::filesystem::exists(ledger_file(*id), missing) || keeper_seat(*id).holder()) return;
  const auto settings = read_settings(settings_file());
  if (settings && !settings->keeper) return;  // a file that cannot be read switches nothing off
  auto deps = open_all({});
  const auto open = deps ? deps->ledger.rentals(true) : fail(deps.error());
  if (!open || open->empty()) return;
  if (auto started = start_keeper(settings_.program); !started)
    log_fact(started.error().what, "; ", started.error().next_step);
  else
    log_fact("keeper started rentals=", open->size());
}

Result<Deps> House::open(std::stop_token stop) {
  auto opened = open_all(std::move(stop));
  if (opened && watch_) watch_->soon();
  return opened;
}

Result<Deps> House::open_all(std::stop_token stop) {
  const auto found_key = key();
  if (!found_key) return fail(found_key.error());
  Market& the_market = market();
  Connector& the_connector = connector();
  const bool known = known_accounts().contains(account_mark(*found_key));
  auto id = account(std::move(stop));  // not under the lock: it may ask the network
  if (!id) return fail(std::move(id).error());
  if (auto opened = open_ledger(*id, known); !opened) return fail(std::move(opened).error());
  FleetSettings fleet;
  fleet.state_folder = settings_.state_folder;
  fleet.api_url = settings_.api_url;
  fleet.settings_file = settings_file();
  fleet.owner = owner();
  fleet.keeper_off = settings_.keeper_off;
  fleet.ssh_key = settings_.ssh_key;
  if (fleet.ssh_key.empty()) {  // the key that machines get to know: the user's own, where there is one
    Patience brief(std::chrono::seconds(1), {});
    fleet.ssh_key = file_to_attach({.ssh_folder = settings_.home / ".ssh",
                                    .own_folder = settings_.state_folder / "ssh",
                                    .agent_socket = settings_.ssh_agent,
                                    .explicit_key = {}},
                                   brief);
  }
  fleet.account = read_settings(fleet.settings_file);
  const std::scoped_lock hold(opening_);
  report_server();
  Deps deps{the_market, the_connector, *ledger_, *clock_, fleet};
  if (watch_) deps.on_intent = [this] { watch_->soon(); };
  return deps;
}

/// Leaves a sign of life of this server, at most once a minute. A keeper and the one-shot commands leave
/// their own; a ledger that cannot take it says so to whoever needs it next.
void House::report_server() {
  const bool serves = settings_.actor.empty() || settings_.actor.starts_with("serve");
  const TimePoint now = clock_->now();
  if (!serves || now - server_reported_ < std::chrono::minutes(1)) return;
  if (ledger_->note_layer({"", kServerLayer, now, settings_.actor})) server_reported_ = now;
}

Result<std::filesystem::path> House::project(const std::optional<std::string>& argument) {
  std::error_code bad;
  std::filesystem::path folder = argument ? std::filesystem::path(*argument) : settings_.project;
  if (!argument && folder.empty()) folder = std::filesystem::current_path(bad);
  if (!folder.is_absolute() || !std::filesystem::is_directory(folder, bad))
    return fail({.code = Code::invalid_argument,
                 .what = "project '" + clean_line(folder.string(), 200) +
                         "' is not an absolute path of an existing folder",
                 .next_step = "pass project with the folder that holds the code"});
  auto resolved = std::filesystem::canonical(folder, bad);
  // Some clients start servers in the home folder: its files must not travel to a rented machine.
  std::error_code no_home;
  if (!bad &&
      (resolved == resolved.root_path() || std::filesystem::equivalent(resolved, settings_.home, no_home)))
    return fail({.code = Code::invalid_argument,
                 .what = "'" + resolved.string() + "' is not a project folder",
                 .next_step = "pass project with the folder that holds the code, or set VAST_GPU_PROJECT"});
  return bad ? folder : resolved;
}

}  // namespace vastgpu
