#pragma once
// The tunnels of this process: at most one per rental, each with as many ports as were asked for. They end
// with the rental, or with this object. Thread-safe.

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "fleet/deps.h"
#include "remote/tunnel.h"

namespace vastgpu {

/// "6006", "6006:7007" (ours behind the colon), or tensorboard, jupyter, comfyui for their usual ports.
/// @error invalid_argument
Result<PortWish> parse_port(const std::string& words);

class Tunnels {
 public:
  /// The ledger of now, since the file may be moved aside while a tunnel is open; nullptr: not to be had,
  /// which says nothing about a rental. Called from the tunnel's thread.
  using OpenLedger = std::function<Ledger*()>;

  /// Opens the ports of a rental that is ready, or gives those that are open already.
  /// @param now  what it uses must outlive this object
  /// @error as reach; unavailable  no local port is to be had
  Result<std::vector<OpenPort>> open(const Deps& d, const Rental& rental, const std::vector<PortWish>& wishes,
                                     const OpenLedger& now, std::stop_token stop);

  /// How that rental's tunnel is; nullopt: there is none.
  struct View {
    Tunnel::State state;
    std::string trouble;
    std::vector<OpenPort> ports;
  };
  std::optional<View> view(const std::string& label) const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::unique_ptr<Tunnel>> by_label_;
};

/// [{"port","url","moved"}]
json to_facts(const std::vector<OpenPort>& ports);
/// "http://localhost:6006 is port 6006 of the machine (its own number was taken here)"; one line a port.
std::string to_words(const std::vector<OpenPort>& ports);

}  // namespace vastgpu
