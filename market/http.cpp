#include "market/http.h"

#include "core/crash_point.h"
#include "core/text.h"
#include "market/http_connection.h"

namespace vastgpu {
namespace {

constexpr std::size_t kKeptConnections =
    8;  // more calls than that never run side by side under this rate limit
constexpr int kMaxRedirects = 3;

bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/// Where a redirect leads, below the same server; nullopt when it leads elsewhere.
std::optional<std::string> same_server_path(const Url& base, const std::string& location) {
  if (starts_with_ignoring_case(location, "http")) {
    const auto to = parse_url(location);
    if (!to || !to->same_origin(base)) return std::nullopt;
    return to->path.empty() ? "/" : to->path;
  }
  // "//host/path" names another server; anything else that is not a path from the root is not worth guessing.
  if (location.size() < 2 || location[0] != '/' || location[1] == '/' || location[1] == '\\')
    return std::nullopt;
  auto to = parse_url(base.origin() + location);
  if (!to) return std::nullopt;
  return to->path;
}

Error elsewhere(const Url& base, const std::string& location) {
  const auto to = parse_url(location);
  return {.code = Code::wrong_state,
          .what = base.host + " sent us on to " + (to ? to->origin() : "an address we cannot follow") +
                  "; the API key stays here, so this was not followed",
          .next_step =
              "check the configured address of the marketplace; a hotel or company network may be in between",
          .effect = Effect::unknown};
}

}  // namespace

Http::Http(Settings settings) : settings_(std::move(settings)) {}
Http::~Http() = default;

std::unique_ptr<HttpConnection> Http::take_idle() {
  const std::scoped_lock hold(mutex_);
  if (idle_.empty()) return nullptr;
  auto connection = std::move(idle_.back());
  idle_.pop_back();
  return connection;
}

void Http::give_back(std::unique_ptr<HttpConnection> connection) {
  const std::scoped_lock hold(mutex_);
  if (idle_.size() < kKeptConnections) idle_.push_back(std::move(connection));
}

Result<HttpAnswer> Http::send(const HttpRequest& request, std::stop_token stop) {
  std::optional<CrashPoints> crash;  // a search is a POST that changes nothing
  if (request.method != "GET" && request.path.find("/bundles/") == std::string::npos) crash.emplace("api");
  RawRequest raw{.method = request.method,
                 .path = settings_.base.path + request.path,
                 .body = request.body,
                 .bearer = &settings_.key,
                 .max_answer = request.max_answer,
                 .timeout = request.timeout};
  for (int hop = 0, fresh = 0; hop <= kMaxRedirects;) {
    if (stop.stop_requested())
      return fail({.code = Code::cancelled,
                   .what = "stopped before asking the marketplace",
                   .next_step = "call again to go on"});
    auto connection = request.repeatable && fresh == 0 ? take_idle() : nullptr;
    if (!connection)
      connection =
          std::make_unique<HttpConnection>(settings_.base, settings_.ca_file, settings_.connect_timeout);
    auto answer = connection->exchange(raw, stop);
    if (!answer) {
      // Servers close idle connections without notice; a new one usually works.
      if (connection->went_stale() && request.repeatable && fresh++ == 0) continue;
      return fail(std::move(answer).error());
    }
    give_back(std::move(connection));
    if (!is_redirect(answer->status))
      return HttpAnswer{answer->status, std::move(answer->body), answer->retry_after};
    const auto path = same_server_path(settings_.base, answer->location);
    // 301 to 303 turn a PUT into a GET by custom; sending either would be a guess.
    const bool keeps_method = request.method == "GET" || answer->status >= 307;
    if (!path || !keeps_method) return fail(elsewhere(settings_.base, answer->location));
    raw.path = *path;
    ++hop;
  }
  return fail({.code = Code::wrong_state,
               .what = settings_.base.host + " sends us round in circles",
               .next_step = "check the configured address of the marketplace",
               .effect = Effect::unknown});
}

Result<HttpAnswer> Http::fetch(const std::string& address, std::size_t max_answer,
                               std::chrono::milliseconds timeout, std::stop_token stop) {
  auto url = parse_url(address);
  if (!url) return fail(std::move(url).error());
  const bool clear_is_fine = is_loopback(url->host) && is_loopback(settings_.base.host);
  if (!url->https && !clear_is_fine)
    return fail({.code = Code::invalid_argument,
                 .what = "the address on " + url->host + " is not https",
                 .next_step = "report this: the marketplace should hand out https addresses"});
  HttpConnection connection(*url, settings_.ca_file, settings_.connect_timeout);
  auto answer = connection.exchange({.method = "GET",
                                     .path = url->path.empty() ? "/" : url->path,
                                     .body = {},
                                     .bearer = nullptr,
                                     .max_answer = max_answer,
                                     .timeout = timeout},
                                    stop);
  if (!answer) return fail(std::move(answer).error());
  return HttpAnswer{answer->status, std::move(answer->body), answer->retry_after};
}

}  // namespace vastgpu
