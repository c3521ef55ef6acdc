#pragma once
// Everything the routes work on, and the routes themselves. One mutex, the marketplace's, guards a Shop.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "sandbox/faults.h"
#include "sandbox/rate_limit.h"
#include "sandbox/room.h"
#include "sandbox/wire.h"
#include "sandbox/world.h"

namespace vastgpu::sandbox {

struct ApiKey {
  std::int64_t id = 0;
  std::string name, key;
  json permissions = json::object();
};

/// The one account of a sandbox.
struct Account {
  std::string api_key;
  std::vector<ApiKey> more_keys;
  std::vector<SshKey> ssh_keys;
  std::map<std::string, std::string> secrets;
  std::vector<json> reports;  ///< of hosts
  std::int64_t next_id = 7001;
};

/// A file behind a result_url.
struct ResultFile {
  double ready_at = 0;
  int misses = 0;  ///< requests still to be answered 404
  bool never = false;
  std::string text;
};

struct Shop {
  Shop(const WorldOptions& options, std::string api_key, double now, Room& machines)
      : room(machines), world(options, now, machines, faults) {
    account.api_key = std::move(api_key);
  }

  Room& room;
  Faults faults;
  World world;
  Account account;
  RateLimit limit;
  std::map<std::string, ResultFile> results;     ///< by path
  std::map<std::string, std::int64_t> requests;  ///< how many of each route
  std::vector<json> audit;                       ///< the last hundred requests
};

/// One request on its way through a route.
struct Call {
  const Request& request;
  const json& input;                         ///< the body; {} when there was none
  std::vector<std::int64_t> ids;             ///< the {} of the route's pattern
  std::string word;                          ///< the {word} of it
  std::optional<std::int64_t> own_instance;  ///< set: an instance's own key is asking

  std::int64_t id() const { return ids.empty() ? 0 : ids.front(); }
  /// A query argument that is JSON text; null when missing or not JSON.
  json query_json(const std::string& name) const;
  std::string query(const std::string& name) const;
};

struct Route {
  std::string method;
  std::string pattern;  ///< "/api/v0/asks/{}"; no slash at the end
  Reply (*handler)(Shop&, const Call&);
  bool spends = false;        ///< two-factor accounts refuse it
  bool instance_key = false;  ///< an instance's own key may use it on itself
};

void add_search_routes(std::vector<Route>& routes);
void add_create_routes(std::vector<Route>& routes);
void add_list_routes(std::vector<Route>& routes);
void add_action_routes(std::vector<Route>& routes);
void add_log_routes(std::vector<Route>& routes);
void add_key_routes(std::vector<Route>& routes);
void add_account_routes(std::vector<Route>& routes);
void add_admin_routes(std::vector<Route>& routes);

/// The usual refusal for an id that is not there.
Reply no_such_instance(std::int64_t id);

}  // namespace vastgpu::sandbox
