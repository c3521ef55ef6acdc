#include "server/tunnel_command.h"

#include <cstdio>
#include <thread>

#include "core/text.h"
#include "fleet/host_key.h"
#include "fleet/reach.h"
#include "server/signals.h"

namespace vastgpu {

int tunnel_command(Workplace& workplace, std::int64_t instance, const std::vector<std::string>& ports) {
  const SignalStop signals;
  const std::stop_token stop = signals.token();
  std::string label;
  const auto open = [&]() -> Result<std::vector<OpenPort>> {
    std::vector<PortWish> wishes;
    for (const std::string& words : ports) {
      auto wish = parse_port(words);
      if (!wish) return fail(std::move(wish).error());
      wishes.push_back(*wish);
    }
    auto deps = workplace.open(stop);
    if (!deps) return fail(std::move(deps).error());
    auto rental = rental_of(*deps, {instance});
    if (!rental) return fail(std::move(rental).error());
    label = rental->label;
    if (const std::string words = host_key_words(*rental); !words.empty())
      std::fprintf(stderr, "vast-gpu: %s\n", words.c_str());
    return workplace.tunnels().open(
        *deps, *rental, wishes, [&workplace] { return workplace.known_ledger(); }, stop);
  };
  const auto opened = open();
  if (!opened) {
    std::fprintf(stderr, "vast-gpu: %s; %s\n", opened.error().what.c_str(), opened.error().next_step.c_str());
    return 2;
  }
  std::fputs((to_words(*opened) + "Open until Ctrl-C, or until the machine ends.\n").c_str(), stdout);
  std::fflush(stdout);
  std::string said;
  while (!stop.stop_requested()) {
    const auto view = workplace.tunnels().view(label);
    if (!view || view->state == Tunnel::State::ended) {
      std::fprintf(stderr, "vast-gpu: the tunnel ended: %s\n",
                   view ? clean_line(view->trouble, 300).c_str() : "");
      return 1;
    }
    const std::string now = view->state == Tunnel::State::connected
                                ? said.empty() ? "" : "connected again"
                                : "reconnecting: " + clean_line(view->trouble, 300);
    if (now != said && !now.empty()) std::fprintf(stderr, "vast-gpu: %s\n", now.c_str());
    said = now == "connected again" ? "" : now;
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
  return 0;
}

}  // namespace vastgpu
