#pragma once
// A real HTTP server on a loopback port that plays what a test tells it. Thread-safe.

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace vastgpu {

struct ScriptedReply {
  int status = 200;
  std::string body = "{}";
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::string content_type = "application/json";
  bool hang = false;       ///< no answer until the server goes away
  std::size_t cut_at = 0;  ///< not 0: the connection breaks after so many bytes of the body
};

struct SeenRequest {
  std::string method;
  std::string target;  ///< path and query as sent
  std::string path;
  std::string body;
  std::multimap<std::string, std::string> query;    ///< decoded
  std::multimap<std::string, std::string> headers;  ///< names in lower case

  std::string header(const std::string& name) const;  ///< empty when absent
  std::string argument(const std::string& name) const;
};

/// A self-signed certificate for 127.0.0.1 and localhost, fresh for each test.
class TestCertificate {
 public:
  TestCertificate();
  ~TestCertificate();
  TestCertificate(const TestCertificate&) = delete;
  TestCertificate& operator=(const TestCertificate&) = delete;
  std::string pem() const;

 private:
  friend class ScriptedHttp;
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

class ScriptedHttp {
 public:
  explicit ScriptedHttp(const TestCertificate* tls = nullptr);
  ~ScriptedHttp();
  ScriptedHttp(const ScriptedHttp&) = delete;
  ScriptedHttp& operator=(const ScriptedHttp&) = delete;

  /// What this method and path answer, one after the other; the last one goes on for ever. Without any: 501.
  void answer(const std::string& method, const std::string& path, std::vector<ScriptedReply> replies);

  std::string url() const;  ///< "http://127.0.0.1:41234"
  std::vector<SeenRequest> seen() const;
  std::size_t count(const std::string& method, const std::string& path) const;
  std::size_t connections() const;  ///< different client ports seen so far
  /// Waits for the n-th request. False when it does not come within the limit.
  bool wait_for(std::size_t n, std::chrono::milliseconds limit = std::chrono::seconds(5)) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace vastgpu
