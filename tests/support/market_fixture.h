#pragma once
// A VastMarket on a scripted server, for tests of what goes over the wire.

#include "market/vast_market.h"
#include "tests/support/fake_clock.h"
#include "tests/support/scripted_http.h"

namespace vastgpu {

struct ScriptedMarket {
  static constexpr const char* kKey = "0123456789abcdef-the-account-key";

  explicit ScriptedMarket(VastMarketOptions options = {}) : market(with_server(std::move(options)), clock) {}

  VastMarketOptions with_server(VastMarketOptions o) const {
    o.base_url = server.url();
    if (o.api_key.empty()) o.api_key = Secret(kKey);
    return o;
  }

  ScriptedHttp server;
  FakeClock clock;
  VastMarket market;  // last: its connections close before the server waits for them
};

}  // namespace vastgpu
