#pragma once
// How often the API lets itself be called, on the sandbox's clock. Not thread-safe.

#include <deque>
#include <map>
#include <string>

namespace vastgpu::sandbox {

/// At most `most` requests in any `window` seconds for each identity.
class RateLimit {
 public:
  explicit RateLimit(std::size_t most = 5, double window = 10) : most_(most), window_(window) {}

  /// 0 when the request may pass (and is counted), else the seconds to wait.
  double ask(const std::string& who, double now);
  /// The documented minimum interval of a route: 0 when it has passed.
  double ask_route(const std::string& who, const std::string& route, double interval, double now);

  std::size_t most() const { return most_; }

 private:
  std::size_t most_;
  double window_;
  std::map<std::string, std::deque<double>> seen_;
  std::map<std::string, double> last_on_route_;
};

/// Seconds between two calls of a route, from its pattern ("PUT /api/v0/asks/{}"); 0: no minimum.
double documented_interval(const std::string& route);

}  // namespace vastgpu::sandbox
