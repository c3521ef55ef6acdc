#include "fleet/tunnels.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "core/text.h"
#include "fleet/reach.h"

namespace vastgpu {
namespace {

struct Named {
  std::string_view word;
  std::uint16_t port;
};
constexpr std::array<Named, 3> kNamed{{{"tensorboard", 6006}, {"jupyter", 8888}, {"comfyui", 8188}}};

std::optional<std::uint16_t> number(std::string_view word) {
  for (const Named& named : kNamed)
    if (to_lower(word) == named.word) return named.port;
  unsigned value = 0;
  const auto [end, bad] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (bad != std::errc{} || end != word.data() + word.size() || value < 1 || value > 65535)
    return std::nullopt;
  return static_cast<std::uint16_t>(value);
}

}  // namespace

Result<PortWish> parse_port(const std::string& words) {
  const std::string all(trim(words));
  const auto colon = all.find(':');
  const auto remote = number(std::string_view(all).substr(0, colon));
  const auto local = colon == std::string::npos ? std::optional<std::uint16_t>(std::uint16_t{0})
                                                : number(std::string_view(all).substr(colon + 1));
  if (!remote || !local)
    return fail(
        {.code = Code::invalid_argument,
         .what = "'" + clean_line(words, 40) + "' is no port",
         .next_step = "write 6006, 6006:7007 (7007 is on this computer), tensorboard, jupyter or comfyui"});
  return PortWish{*remote, *local};
}

Result<std::vector<OpenPort>> Tunnels::open(const Deps& d, const Rental& rental,
                                            const std::vector<PortWish>& wishes, const OpenLedger& now,
                                            std::stop_token stop) {
  const auto add_all = [&](Tunnel& tunnel) -> Result<std::vector<OpenPort>> {
    std::vector<OpenPort> ports;
    for (const PortWish& wish : wishes) {
      auto port = tunnel.add(wish);
      if (!port) return fail(std::move(port).error());
      ports.push_back(*port);
    }
    return ports;
  };
  {
    const std::scoped_lock hold(mutex_);
    std::erase_if(by_label_, [](const auto& entry) { return entry.second->state() == Tunnel::State::ended; });
    if (const auto at = by_label_.find(rental.label); at != by_label_.end()) return add_all(*at->second);
  }
  auto shell = reach(d, rental, std::move(stop));  // not under the lock: it asks the network
  if (!shell) return fail(std::move(shell).error());
  // A ledger that cannot be read, or that was made anew and does not know the rental yet, says nothing about
  // it.
  const auto wanted = [now, label = rental.label] {
    Ledger* ledger = now();
    if (ledger == nullptr) return true;
    const auto found = ledger->rental_by_label(label);
    if (!found || !*found) return true;
    return ((*found)->status == Status::ready || (*found)->status == Status::destroying) &&
           (*found)->host_key_proof != HostKeyProof::contradicted;
  };
  auto tunnel = Tunnel::over(*std::move(shell), wanted);
  auto ports = add_all(*tunnel);
  if (!ports) return ports;
  const std::scoped_lock hold(mutex_);
  auto& place = by_label_[rental.label];
  if (place && place->state() != Tunnel::State::ended) return add_all(*place);  // another call was faster
  place = std::move(tunnel);
  return ports;
}

std::optional<Tunnels::View> Tunnels::view(const std::string& label) const {
  const std::scoped_lock hold(mutex_);
  const auto at = by_label_.find(label);
  if (at == by_label_.end()) return std::nullopt;
  return View{at->second->state(), at->second->trouble(), at->second->ports()};
}

json to_facts(const std::vector<OpenPort>& ports) {
  json facts = json::array();
  for (const OpenPort& p : ports)
    facts.push_back({{"port", p.remote}, {"url", text("http://localhost:", p.local)}, {"moved", p.moved}});
  return facts;
}

std::string to_words(const std::vector<OpenPort>& ports) {
  std::string words;
  for (const OpenPort& p : ports)
    words += text("http://localhost:", p.local, " is port ", p.remote, " of the machine",
                  p.moved ? " (the wanted port is taken on this computer)" : "", "\n");
  return words;
}

}  // namespace vastgpu
