#include "sandbox/marketplace.h"

#include <charconv>
#include <cmath>
#include <condition_variable>

#include "core/log.h"
#include "core/text.h"

namespace vastgpu::sandbox {
namespace {

constexpr std::size_t kAuditLines = 100;

/// "/api/v0/asks/42/" -> "/api/v0/asks/42".
std::string without_slash(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

bool fill(const std::string& pattern, const std::string& path, Call& call) {
  const auto want = split(pattern, '/');
  const auto have = split(path, '/');
  if (want.size() != have.size()) return false;
  std::vector<std::int64_t> ids;
  for (std::size_t i = 0; i < want.size(); ++i) {
    if (want[i] == "{word}") {
      call.word = have[i];
    } else if (want[i] == "{}") {
      std::int64_t id = 0;
      const auto [end, bad] = std::from_chars(have[i].data(), have[i].data() + have[i].size(), id);
      if (bad != std::errc{} || end != have[i].data() + have[i].size()) return false;
      ids.push_back(id);
    } else if (want[i] != have[i]) {
      return false;
    }
  }
  call.ids = std::move(ids);
  return true;
}

std::string bearer(const Request& r) {
  if (r.authorization.starts_with("Bearer ")) return std::string(trim(r.authorization.substr(7)));
  const auto at = r.query.find("api_key");
  return at == r.query.end() ? "" : at->second;
}

bool account_key(const Account& a, const std::string& key) {
  return key == a.api_key || std::ranges::any_of(a.more_keys, [&](const ApiKey& k) { return k.key == key; });
}

Reply no_route(const Request& r) {
  return refuse(404, "not_found", "no route " + clean_line(r.method + " " + r.path, 200));
}

Reply too_many(const std::string& shape, double wait, double most, double now) {
  const auto seconds = static_cast<std::int64_t>(std::ceil(wait));
  Reply r{.status = 429};
  if (shape == "plain") {
    r.content_type = "text/plain";
    r.body = "API requests too frequent";
    return r;
  }
  if (shape == "detail") {
    r.body = dump({{"detail", "API requests too frequent endpoint threshold=4.5"}});
    return r;
  }
  r.body = dump({{"error", "HTTPTooManyRequests"},
                 {"msg", "API requests too frequent"},
                 {"retry_after", seconds},
                 {"limit", most},
                 {"remaining", 0}});
  if (shape == "bare") return r;
  r.headers = {{"x-ratelimit-limit", fixed(most, 1)},
               {"x-ratelimit-remaining", "0"},
               {"x-ratelimit-reset", std::to_string(static_cast<std::int64_t>(std::ceil(now + wait)))},
               {"retry-after", std::to_string(seconds)}};
  return r;
}

}  // namespace

std::string Call::query(const std::string& name) const {
  const auto at = request.query.find(name);
  return at == request.query.end() ? "" : at->second;
}

json Call::query_json(const std::string& name) const {
  const std::string words = query(name);
  if (words.empty()) return nullptr;
  return parse_json(words, name).value_or(json());
}

Reply no_such_instance(std::int64_t id) {
  return refuse(404, "no_such_instance", "Instance " + std::to_string(id) + " not found.");
}

Marketplace::Marketplace(const WorldOptions& options, const std::string& api_key, Clock& clock, Room& room)
    : clock_(clock), shop_(options, api_key, to_unix_seconds(clock.now()), room) {
  add_search_routes(routes_);
  add_create_routes(routes_);
  add_list_routes(routes_);
  add_action_routes(routes_);
  add_log_routes(routes_);
  add_key_routes(routes_);
  add_account_routes(routes_);
  add_admin_routes(routes_);
}

Result<void> Marketplace::switch_on(const std::string& fault) {
  const std::scoped_lock hold(mutex_);
  const auto added = shop_.faults.add(fault);
  if (!added) return fail(added.error());
  if (added->info->name == "credit-out") {
    shop_.faults.remove("credit-out");
    shop_.world.set_credit(std::atof(added->value.c_str()));
  }
  return {};
}

void Marketplace::tick() {
  const std::scoped_lock hold(mutex_);
  shop_.world.advance(now());
  shop_.world.notice_trouble();
  shop_.world.count_traffic();
}

void Marketplace::run(std::stop_token stop) {
  std::mutex nap;
  std::condition_variable_any woken;
  while (!stop.stop_requested()) {
    tick();
    std::unique_lock hold(nap);
    woken.wait_for(hold, stop, std::chrono::milliseconds(20), [] { return false; });
  }
}

Reply Marketplace::answer(const Request& request) {
  const std::scoped_lock hold(mutex_);
  shop_.world.advance(now());
  try {
    return answer_locked(request);
  } catch (const json::exception& e) {  // a body of the wrong types; the routes read the usual ones with care
    return refuse(400, "invalid_request", clean_line(e.what()));
  }
}

/// Faults that hit whatever the request is.
std::optional<Reply> Marketplace::broken(const Request& request, const std::string& words) {
  const Scope at{{}, {}, words};
  if (const auto how = shop_.faults.fire("api-down", at)) {
    if (*how == "close") return Reply{.status = 200, .body = "{\"success\": true}", .cut = true};
    return Reply{.status = 503};
  }
  if (shop_.faults.fire("gateway-502", at))
    return Reply{.status = 502,
                 .body = "<html><head><title>502 Bad Gateway</title></head><body><h1>502</h1></body></html>",
                 .content_type = "text/html"};
  if (const auto shape = shop_.faults.peek("rate-limit", at); shape && *shape != "off") {
    shop_.faults.fire("rate-limit", at);
    return too_many(*shape, 10, static_cast<double>(shop_.limit.most()), now());
  }
  if (const auto prefix = shop_.faults.peek("deprecated", at); prefix && request.path.starts_with(*prefix)) {
    shop_.faults.fire("deprecated", at);
    return refuse(410, "deprecated_endpoint", request.path + " is deprecated.");
  }
  return std::nullopt;
}

std::optional<Reply> Marketplace::too_often(const std::string& who, const std::string& route,
                                            const std::string& words) {
  if (shop_.faults.peek("rate-limit", {{}, {}, words}) == "off") return std::nullopt;
  const double t = now();
  if (shop_.faults.peek("route-intervals"))
    if (const double interval = documented_interval(route); interval > 0)
      if (const double wait = shop_.limit.ask_route(who, route, interval, t); wait > 0)
        return too_many("detail", wait, static_cast<double>(shop_.limit.most()), t);
  if (const double wait = shop_.limit.ask(who, t); wait > 0)
    return too_many("live", wait, static_cast<double>(shop_.limit.most()), t);
  return std::nullopt;
}

Reply Marketplace::answer_locked(const Request& request) {
  const std::string path = without_slash(request.path);
  const std::string words = request.method + " " + request.path;
  const std::string key = bearer(request);

  json input = json::object();
  Call call{request, input, {}, "", {}};
  const Route* route = nullptr;
  for (const Route& r : routes_)
    if (r.method == request.method && fill(r.pattern, path, call)) {
      route = &r;
      break;
    }
  const std::string counted = route ? route->method + " " + route->pattern : "no route";
  ++shop_.requests[counted];

  const bool admin = path.starts_with("/admin");
  const bool open = path.starts_with("/instance_logs/") || path == "/api/v0/gpu_names/unique";
  if (!admin && !path.starts_with("/instance_logs/"))
    if (auto out = broken(request, words)) return *out;

  std::optional<std::int64_t> own;
  if (!open) {
    if (key.empty()) return refuse(403, "auth_error", "This action requires login.");
    const bool known = account_key(shop_.account, key);
    const Contract* self = known ? nullptr : shop_.world.find_by_key(key);
    if ((!known && !self) || (!admin && shop_.faults.fire("auth-404", {{}, {}, words})))
      return refuse(!known && shop_.faults.peek("auth-401") ? 401 : 404, "auth_error", "Invalid user key");
    if (self && self->fault("bad-container-key")) return refuse(401, "auth_error", "Invalid user key");
    if (self) own = self->id;
  }
  if (admin && own) return refuse(403, "forbidden", "an instance's key may not do this");

  if (!admin && !open) {
    if (auto out = too_often(own ? "instance " + std::to_string(*own) : "account", counted, words))
      return *out;
    if (shop_.audit.size() == kAuditLines) shop_.audit.erase(shop_.audit.begin());
    shop_.audit.push_back({{"created_at", shop_.world.now()},
                           {"api_route", clean_line(words)},
                           {"ip_address", "127.0.0.1"},
                           {"api_key_id", own ? json(*own) : json(1)},
                           {"args", json::object()}});
  }
  if (!route) return no_route(request);
  if (own && (!route->instance_key || call.id() != *own))
    return refuse(403, "forbidden", "this key may show, start, stop and destroy its own instance only");
  if (route->spends && shop_.faults.fire("auth-401-2fa", {{}, {}, words}))
    return refuse(401, "auth_error", "Two Factor Authentication is required: run tfa login first.");

  if (!request.body.empty()) {
    if (!request.content_type.starts_with("application/json"))
      return refuse(400, "bad_request", "Content-Type must be application/json");
    auto body = parse_json(request.body, "the body");
    if (!body || !body->is_object()) return refuse(400, "bad_request", "the body is not a JSON object");
    input = *std::move(body);
  }
  call.own_instance = own;
  return route->handler(shop_, call);
}

}  // namespace vastgpu::sandbox
