#include "market/api_client.h"

#include <algorithm>
#include <random>

#include "core/log.h"
#include "core/text.h"

namespace vastgpu {
namespace {

constexpr int kAttempts = 4;

bool worth_repeating(int status) { return status == 429 || status == 502 || status == 503 || status == 504; }

/// "API requests too frequent endpoint threshold=4.5": the seconds that route wants between two calls.
std::optional<double> threshold(const Refusal& refusal) {
  constexpr std::string_view kWord = "threshold=";
  const auto at = refusal.msg.find(kWord);
  if (at == std::string::npos) return std::nullopt;
  const double seconds = std::strtod(refusal.msg.c_str() + at + kWord.size(), nullptr);
  if (!(seconds > 0)) return std::nullopt;
  return seconds;
}

Duration seconds_between(double seconds, double least, double most) {
  return Duration(static_cast<std::int64_t>(std::clamp(seconds, least, most) * 1e6));
}

bool can_be_sent(const std::string& key) {
  return std::all_of(key.begin(), key.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

}  // namespace

ApiClient::ApiClient(ApiOptions options, Clock& clock)
    : options_(std::move(options)), clock_(clock), limit_(clock) {}
ApiClient::~ApiClient() = default;

Result<Http*> ApiClient::http() {
  const std::scoped_lock hold(mutex_);
  if (!http_) {
    auto base = parse_base_url(options_.base_url);
    if (!base) return fail(std::move(base).error().during("address of the marketplace"));
    http_ = std::make_unique<Http>(
        Http::Settings{*base, options_.key, options_.ca_file, options_.connect_timeout});
  }
  return http_.get();
}

double ApiClient::jitter() {
  thread_local std::minstd_rand random{std::random_device{}()};
  return std::uniform_real_distribution<double>(0.75, 1.25)(random);
}

Duration ApiClient::pause_after(int attempt, const Result<HttpAnswer>& answer) {
  const double doubled = static_cast<double>(1 << (attempt - 1));
  if (!answer || answer->status != 429) return seconds_between(doubled * jitter(), 0.5, 30);
  if (answer->retry_after) return seconds_between(*answer->retry_after, 2, 60);
  const Refusal refusal = read_refusal(answer->body, options_.key);
  if (refusal.retry_after) return seconds_between(*refusal.retry_after, 2, 60);
  // The measured window is 10 s; a route's own threshold is a minimum that grows when ignored.
  return seconds_between(std::max(4.0, threshold(refusal).value_or(0)) * doubled * jitter(), 2, 60);
}

Result<ApiAnswer> ApiClient::send(const ApiCall& call, const std::stop_token& stop) {
  auto to = http();
  if (!to) return fail(std::move(to).error());
  if (options_.key.empty()) return fail(no_key());
  if (!can_be_sent(options_.key.reveal())) {
    Error e = no_key();
    e.what = "the Vast.ai API key holds blanks or characters that cannot be sent";
    return fail(std::move(e));
  }
  const HttpRequest request{.method = call.method,
                            .path = call.path,
                            .body = call.body ? dump(*call.body) : "",
                            .max_answer = call.max_answer,
                            .timeout = call.timeout,
                            .repeatable = !call.once};
  bool unsure = false;
  const auto settle = [&](Error e) {
    if (!call.changes) e.effect = Effect::none;
    if (unsure && e.effect == Effect::none) e.effect = Effect::unknown;
    return fail(std::move(e));
  };
  const auto cancelled = [&] {
    return settle({.code = Code::cancelled,
                   .what = "stopped while waiting for the marketplace's rate limit",
                   .next_step = "call again to go on"});
  };
  for (int attempt = 1;; ++attempt) {
    if (!limit_.wait(call.route, stop)) return cancelled();
    auto answer = (*to)->send(request, stop);
    const int status = answer ? answer->status : 0;
    log_debug("api ", call.method, " ", call.path.substr(0, call.path.find('?')), " attempt=", attempt,
              " status=", status);
    // A body that names a contract settles a create, whatever its status.
    const bool repeat = call.once ? status == 429 && answer->body.find("new_contract") == std::string::npos
                        : answer  ? worth_repeating(status)
                                  : answer.error().code == Code::unavailable;
    if (status == 429) limit_.hold_until(clock_.now() + pause_after(attempt, answer));
    if (!repeat || attempt == kAttempts) {
      if (!answer) return settle(std::move(answer).error());
      return ApiAnswer{answer->status, std::move(answer->body), unsure};
    }
    if (call.changes && (answer ? status != 429 : answer.error().effect != Effect::none)) unsure = true;
    if (status != 429 && !clock_.sleep_for(pause_after(attempt, answer), stop)) return cancelled();
  }
}

Error ApiClient::refusal(const ApiAnswer& answer, bool changes) const {
  Error e = error_of(answer.status, read(answer), changes);
  if (changes && answer.unsure && e.effect == Effect::none) e.effect = Effect::unknown;
  return e;
}

Result<json> ApiClient::ask(const ApiCall& call, const std::stop_token& stop) {
  auto answer = send(call, stop);
  if (!answer) return fail(std::move(answer).error());
  if (answer->status < 200 || answer->status > 299) return fail(refusal(*answer, call.changes));
  if (trim(answer->body).empty()) return json::object();
  auto body = parse_json(answer->body,
                         "the answer to " + call.method + " " + call.path.substr(0, call.path.find('?')));
  if (!body) return fail(nonsense(body.error().what, call.changes));
  if (says_failed(*body)) return fail(refusal(*answer, call.changes));
  return body;
}

Result<HttpAnswer> ApiClient::fetch(const std::string& address, std::size_t max_answer,
                                    const std::stop_token& stop) {
  auto to = http();
  if (!to) return fail(std::move(to).error());
  return (*to)->fetch(address, max_answer, std::chrono::seconds(15), stop);
}

}  // namespace vastgpu
