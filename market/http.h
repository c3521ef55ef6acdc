#pragma once
// HTTP to the marketplace: kept connections, verified certificates, bounded answers, prompt stops.
// Thread-safe. It knows nothing of the API. Its timeouts are real time, since a network does not run faster
// with our clock.

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/secret.h"
#include "market/url.h"

namespace vastgpu {

struct HttpRequest {
  std::string method = "GET";
  std::string path;                           ///< below the base URL, query included, encoded
  std::string body;                           ///< JSON; empty means none
  std::size_t max_answer = 8'000'000;         ///< bytes
  std::chrono::milliseconds timeout{30'000};  ///< for silence; the whole answer may take four times as long
  bool repeatable =
      true;  ///< false: sent over a new connection and never twice, so that "no answer" stays rare
};

struct HttpAnswer {
  int status = 0;
  std::string body;
  std::optional<double> retry_after;  ///< seconds, from the header
};

class HttpConnection;

/// One server and the key for it. The key leaves for no other place: a redirect elsewhere fails.
class Http {
 public:
  struct Settings {
    Url base;
    Secret key;
    std::string ca_file;  ///< trusted instead of the system's certificates when not empty
    std::chrono::milliseconds connect_timeout{10'000};
  };
  explicit Http(Settings settings);
  ~Http();

  /// Sends and waits for the whole answer, whatever its status. `effect` in the errors says whether the
  /// request may have reached the server.
  /// @error unavailable  no connection (effect none); no answer, or a broken one (effect unknown)
  /// @error wrong_state  the certificate is not trusted (effect none), or a redirect to another server
  /// @error corrupt      the answer is larger than allowed
  /// @error cancelled    `stop` asked
  Result<HttpAnswer> send(const HttpRequest& request, std::stop_token stop);

  /// GET of another server's address, without the key and without following redirects.
  /// @error as send; invalid_argument when the address is not https (http is fine where the base is on
  /// loopback)
  Result<HttpAnswer> fetch(const std::string& address, std::size_t max_answer,
                           std::chrono::milliseconds timeout, std::stop_token stop);

  const Settings& settings() const { return settings_; }

 private:
  std::unique_ptr<HttpConnection> take_idle();
  void give_back(std::unique_ptr<HttpConnection> connection);

  const Settings settings_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<HttpConnection>> idle_;
};

}  // namespace vastgpu
