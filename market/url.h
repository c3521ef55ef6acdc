#pragma once
// Addresses: which server a URL names, whether it may be spoken to in the clear, and encoding of queries. Any
// thread.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.h"

namespace vastgpu {

struct Url {
  bool https = true;
  std::string host;  ///< without the brackets of an IPv6 address
  std::uint16_t port = 443;
  std::string path;  ///< with its query; empty, or "/" first

  /// "https://console.vast.ai:443"
  std::string origin() const;
  bool same_origin(const Url& other) const;
};

/// @error invalid_argument  not http(s)://host[:port][/path]; user names and fragments are refused
Result<Url> parse_url(std::string_view text);

/// 127.0.0.0/8, ::1 and localhost.
bool is_loopback(std::string_view host);

/// The server that gets the API key: trailing slashes cut; https, or http to this machine itself.
/// @error invalid_argument
Result<Url> parse_base_url(std::string_view text);

/// Everything but letters, digits and -._~ as %XX.
std::string percent_encode(std::string_view raw);

/// path?name=value&..., encoded.
std::string with_query(std::string path, const std::vector<std::pair<std::string, std::string>>& query);

}  // namespace vastgpu
