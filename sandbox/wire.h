#pragma once
// A request and a reply of the API, free of any HTTP library. Plain values.

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/json.h"

namespace vastgpu::sandbox {

struct Request {
  std::string method, path;
  std::map<std::string, std::string> query;
  std::string authorization, content_type, body;
  std::string base_url;  ///< as the client reached us: "http://127.0.0.1:8123"
};

struct Reply {
  int status = 200;
  std::string body = {};
  std::string content_type = "application/json";  ///< exactly: the vendor's CLI compares it
  std::vector<std::pair<std::string, std::string>> headers = {};
  bool cut = false;  ///< the connection ends after the headers
};

inline Reply answer_with(const json& body) { return {.status = 200, .body = dump(body)}; }
inline Reply success() { return answer_with({{"success", true}}); }
inline Reply refuse(int status, const std::string& error, const std::string& msg,
                    json more = json::object()) {
  more["success"] = false;
  more["error"] = error;
  more["msg"] = msg;
  return {.status = status, .body = dump(more)};
}

}  // namespace vastgpu::sandbox
