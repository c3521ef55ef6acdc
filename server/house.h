#pragma once
// Picks the real implementations and opens them when a call first needs them. Thread-safe.

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "market/api_key.h"
#include "server/keeper_seat.h"
#include "server/keeper_watch.h"
#include "tools/workplace.h"

namespace vastgpu {

/// Tells one file from another that took its name.
struct FileMark {
  std::uint64_t device = 0, inode = 0;
  bool operator==(const FileMark&) const = default;
};

/// What the environment says. Everything is optional.
struct HouseSettings {
  std::string api_url = "https://console.vast.ai";  ///< VAST_URL
  std::string ca_file;                              ///< VAST_GPU_CA_FILE
  std::filesystem::path
      state_folder;  ///< VAST_GPU_STATE, else $XDG_STATE_HOME/vast-gpu, else ~/.local/state/vast-gpu
  std::filesystem::path home;
  std::filesystem::path project;  ///< VAST_GPU_PROJECT, else CLAUDE_PROJECT_DIR; empty: the working directory
  std::string ssh_agent;          ///< SSH_AUTH_SOCK
  std::string ssh_key;            ///< VAST_GPU_SSH_KEY: a private key file that goes first
  std::string clock;              ///< VAST_GPU_CLOCK, "SPEED@ORIGIN": with a sandbox only
  std::string program = {};       ///< what a keeper is started as; empty: none is started
  bool keeper_off = false;        ///< VAST_GPU_KEEPER=off: none is started
  std::string actor = {};         ///< for the ledger's audit: "serve 4711"
  ReadVariable variable;

  static HouseSettings from_environment(const ReadVariable& variable);
};

class House : public Workplace {
 public:
  /// @error invalid_argument  a setting that cannot be read
  static Result<std::unique_ptr<House>> make(HouseSettings settings);
  ~House() override;

  Clock& clock() override { return *clock_; }
  Tunnels& tunnels() override { return tunnels_; }
  /// The settings file is read anew by each, so that a raised limit needs no restart.
  Result<Deps> open(std::stop_token stop) override;
  std::optional<Deps> open_known() override;
  Ledger* known_ledger() override;
  std::filesystem::path state_folder() const override { return settings_.state_folder; }
  Result<std::filesystem::path> project(const std::optional<std::string>& argument) override;

  const HouseSettings& settings() const { return settings_; }
  /// Who this is in the ledger's audit; before the first open.
  void act_as(std::string actor) { settings_.actor = std::move(actor); }
  std::filesystem::path settings_file() const { return settings_.state_folder / "settings.json"; }
  Market& market();
  Connector& connector();
  Result<FoundKey> key() const;
  /// The account that the key belongs to; asked once, then remembered in the state folder.
  Result<AccountId> account(std::stop_token stop);
  /// What account() remembered; asks no network.
  std::optional<AccountId> known_account() const;
  std::filesystem::path ledger_file(AccountId account) const;
  KeeperSeat keeper_seat(AccountId account) const { return {settings_.state_folder, ledger_file(account)}; }

 private:
  explicit House(HouseSettings settings, std::unique_ptr<Clock> clock);
  std::string account_mark(const FoundKey& key) const;
  json known_accounts() const;
  Result<void> open_ledger(AccountId account, bool expected);
  std::filesystem::path accounts_file() const;
  std::string owner() const;
  void report_server();  // with opening_ held
  Result<Deps> open_all(std::stop_token stop);
  void look_after_keeper();
  HouseSettings settings_;
  std::unique_ptr<Clock> clock_;
  std::mutex opening_;  // guards the five below
  std::unique_ptr<Market> market_;
  std::unique_ptr<Connector> connector_;
  std::unique_ptr<Ledger> ledger_;
  std::vector<std::unique_ptr<Ledger>> replaced_;  // a call may still hold one that was moved aside
  FileMark ledger_mark_;
  TimePoint server_reported_{};
  std::unique_ptr<KeeperWatch> watch_;  // uses the others. Empty: no keeper is started from here
  Tunnels tunnels_;                     // last: uses the connector and the ledgers
};

/// Reads the process environment.
std::optional<std::string> process_variable(const char* name);

}  // namespace vastgpu
