#pragma once
// One account's calls to the API: key, rate limit, repeats. Thread-safe. What the answers mean is
// VastMarket's matter.

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>

#include "core/clock.h"
#include "core/error.h"
#include "core/json.h"
#include "core/secret.h"
#include "market/api_errors.h"
#include "market/http.h"
#include "market/rate_limit.h"

namespace vastgpu {

struct ApiCall {
  std::string method = "GET";
  std::string path;               ///< query included, encoded
  std::optional<json> body = {};  ///< none for a GET
  Route route = Route::other;
  bool changes = false;  ///< it may change something: a lost answer leaves the effect unknown
  bool once = false;     ///< a create: only a 429 that names no contract may be repeated
  std::size_t max_answer = 8'000'000;
  std::chrono::milliseconds timeout{30'000};
};

/// The last answer, of any status.
struct ApiAnswer {
  int status = 0;
  std::string body;
  bool unsure = false;  ///< an earlier attempt got no answer that settles it, so it may have worked
};

struct ApiOptions {
  std::string base_url;
  Secret key;
  std::string ca_file;
  std::chrono::milliseconds connect_timeout{10'000};
};

class ApiClient {
 public:
  ApiClient(ApiOptions options, Clock& clock);
  ~ApiClient();

  /// Sends, and repeats up to four attempts in all on 429, 502, 503, 504 and no answer.
  /// @error unauthenticated   there is no key; nothing was sent
  /// @error invalid_argument  the base URL cannot be used; nothing was sent
  /// @error others            as Http::send
  Result<ApiAnswer> send(const ApiCall& call, const std::stop_token& stop);

  /// As send, and the body of a success; anything else becomes an Error. An empty 2xx is an empty object.
  Result<json> ask(const ApiCall& call, const std::stop_token& stop);

  /// The Error for an answer that `ask` would not take.
  Error refusal(const ApiAnswer& answer, bool changes) const;
  Refusal read(const ApiAnswer& answer) const { return read_refusal(answer.body, options_.key); }

  /// GET of another server, without the key. Not rate limited, not repeated.
  Result<HttpAnswer> fetch(const std::string& address, std::size_t max_answer, const std::stop_token& stop);

  Clock& clock() { return clock_; }

 private:
  Result<Http*> http();
  Duration pause_after(int attempt, const Result<HttpAnswer>& answer);
  double jitter();

  const ApiOptions options_;
  Clock& clock_;
  RateLimit limit_;
  std::mutex mutex_;
  std::unique_ptr<Http> http_;  ///< made by the first call: a server must start fast
};

}  // namespace vastgpu
