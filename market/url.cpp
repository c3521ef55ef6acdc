#include "market/url.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

#include "core/text.h"

namespace vastgpu {
namespace {

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

auto refuse(std::string_view text, const std::string& why) {
  return fail({.code = Code::invalid_argument,
               .what = "the address '" + clean_line(text, 120) + "' cannot be used: " + why,
               .next_step = "give an address such as https://console.vast.ai"});
}

bool is_host(std::string_view host, bool bracketed) {
  if (bracketed) {
    in6_addr parsed{};
    return inet_pton(AF_INET6, std::string(host).c_str(), &parsed) == 1;
  }
  return !host.empty() && host.size() <= 253 && std::all_of(host.begin(), host.end(), [](char c) {
    return is_letter_or_digit(c) || c == '.' || c == '-';
  });
}

}  // namespace

std::string Url::origin() const {
  const bool v6 = host.find(':') != std::string::npos;
  return std::string(https ? "https://" : "http://") + (v6 ? "[" + host + "]" : host) + ":" +
         std::to_string(port);
}

bool Url::same_origin(const Url& other) const {
  return https == other.https && port == other.port && to_lower(host) == to_lower(other.host);
}

Result<Url> parse_url(std::string_view text) {
  std::string_view rest = trim(text);
  Url url;
  if (starts_with_ignoring_case(rest, "https://")) {
    rest.remove_prefix(8);
  } else if (starts_with_ignoring_case(rest, "http://")) {
    rest.remove_prefix(7);
    url.https = false;
    url.port = 80;
  } else {
    return refuse(text, "it does not start with https://");
  }
  // Bytes that never stand in an address could end the request line early.
  if (std::any_of(rest.begin(), rest.end(), [](char c) { return c <= ' ' || c >= '\x7f'; }))
    return refuse(text, "it holds a blank or a character that must be encoded");
  const auto slash = rest.find_first_of("/?#");
  std::string_view where = rest.substr(0, slash);
  if (slash != std::string_view::npos) url.path = rest.substr(slash);
  if (url.path.find('#') != std::string::npos) return refuse(text, "it holds a fragment");
  if (!url.path.empty() && url.path[0] == '?') url.path.insert(0, "/");
  if (where.find('@') != std::string_view::npos) return refuse(text, "it holds a user name");

  const bool bracketed = !where.empty() && where[0] == '[';
  const auto end = bracketed ? where.find(']') : where.find(':');
  if (bracketed && end == std::string_view::npos) return refuse(text, "a bracket is missing");
  url.host = where.substr(bracketed ? 1 : 0, bracketed ? end - 1 : end);
  std::string_view port = end == std::string_view::npos ? "" : where.substr(end + (bracketed ? 1 : 0));
  if (!is_host(url.host, bracketed)) return refuse(text, "it names no server");
  if (!port.empty()) {
    unsigned number = 0;
    const auto [stop, bad] = std::from_chars(port.data() + 1, port.data() + port.size(), number);
    if (port[0] != ':' || bad != std::errc{} || stop != port.data() + port.size() || number < 1 ||
        number > 65535)
      return refuse(text, "its port is not a number from 1 to 65535");
    url.port = static_cast<std::uint16_t>(number);
  }
  return url;
}

bool is_loopback(std::string_view host) {
  const std::string name = to_lower(host);
  if (name == "localhost") return true;
  in_addr v4{};
  if (inet_pton(AF_INET, name.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  in6_addr v6{};
  return inet_pton(AF_INET6, name.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

Result<Url> parse_base_url(std::string_view text) {
  auto url = parse_url(text);
  if (!url) return url;
  if (url->path.find('?') != std::string::npos) return refuse(text, "it holds a query");
  while (!url->path.empty() && url->path.back() == '/') url->path.pop_back();
  if (!url->https && !is_loopback(url->host))
    return refuse(text,
                  "http would send the API key in the clear; only this machine itself may be reached so");
  return url;
}

std::string percent_encode(std::string_view raw) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : raw) {
    const auto byte = static_cast<unsigned char>(c);
    if (is_letter_or_digit(c) || c == '-' || c == '.' || c == '_' || c == '~') {
      out += c;
    } else {
      out += '%';
      out += kDigits[byte >> 4];
      out += kDigits[byte & 15];
    }
  }
  return out;
}

std::string with_query(std::string path, const std::vector<std::pair<std::string, std::string>>& query) {
  char between = '?';
  for (const auto& [name, value] : query) {
    path += between + percent_encode(name) + "=" + percent_encode(value);
    between = '&';
  }
  return path;
}

}  // namespace vastgpu
