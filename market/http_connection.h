#pragma once
// One connection to one server, kept open between requests. One thread at a time; abort() from any thread.

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>

#include "core/error.h"
#include "core/fd.h"
#include "core/secret.h"
#include "market/url.h"

namespace vastgpu {

struct RawRequest {
  std::string method, path, body;
  const Secret* bearer = nullptr;  ///< null: no Authorization header
  std::size_t max_answer = 0;
  std::chrono::milliseconds timeout{};
};

struct RawAnswer {
  int status = 0;
  std::string body;
  std::optional<double> retry_after;
  std::string location;  ///< of a redirect
  std::string date;      ///< the header, as sent
};

class HttpConnection {
 public:
  HttpConnection(const Url& server, const std::string& ca_file, std::chrono::milliseconds connect_timeout);
  ~HttpConnection();

  /// One request, one answer. After an error the connection must not be used again.
  /// @error as Http::send
  Result<RawAnswer> exchange(const RawRequest& request, const std::stop_token& stop);

  bool used() const { return used_; }
  /// The last failure came at once on a connection that had been idle: the server had closed it meanwhile.
  bool went_stale() const { return went_stale_; }

 private:
  struct Client;
  void abort();
  void adopt(int socket);
  Error failure(int why, bool too_large, std::chrono::steady_clock::duration took,
                const RawRequest& request) const;

  const Url server_;
  const std::chrono::milliseconds connect_timeout_;
  bool used_ = false;
  bool went_stale_ = false;
  std::mutex mutex_;
  Fd socket_;  ///< our own handle of the client's socket: shutting it down wakes every wait on it
  bool aborted_ = false;
  std::unique_ptr<Client> client_;
};

}  // namespace vastgpu
