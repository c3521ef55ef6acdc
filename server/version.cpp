#include "server/version.h"

#include <array>

#include "core/text.h"
#include "server/call_log.h"

namespace vastgpu {
namespace {

constexpr const char* kVersionKey = "io.modelcontextprotocol/protocolVersion";
constexpr const char* kCapabilitiesKey = "io.modelcontextprotocol/clientCapabilities";
constexpr const char* kClientKey = "io.modelcontextprotocol/clientInfo";
constexpr const char* kLogLevelKey = "io.modelcontextprotocol/logLevel";

constexpr std::array<const char*, kVersions> kNames = {"2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25",
                                                       "2026-07-28"};

RpcError invalid(std::string message) { return {kInvalidParams, std::move(message), {}}; }

tl::expected<std::optional<Version>, RpcError> modern_version(const json& meta) {
  const auto version = meta.find(kVersionKey);
  if (version == meta.end() || !version->is_string())
    return tl::unexpected(invalid(text("_meta must hold a string ", kVersionKey)));
  const auto capabilities = meta.find(kCapabilitiesKey);
  if (capabilities == meta.end() || !capabilities->is_object())
    return tl::unexpected(invalid(text("_meta must hold an object ", kCapabilitiesKey)));
  if (*version != to_string(Version::v2026_07_28))
    return tl::unexpected(
        RpcError{kUnsupportedVersion,
                 "Unsupported protocol version",
                 {{"supported", {to_string(Version::v2026_07_28)}}, {"requested", *version}}});
  if (const auto level = meta.find(kLogLevelKey); level != meta.end() && !log_rank(*level))
    return tl::unexpected(invalid(text("_meta holds an unknown level in ", kLogLevelKey)));
  return Version::v2026_07_28;
}

}  // namespace

const char* to_string(Version v) { return kNames[static_cast<std::size_t>(v)]; }

Version negotiate(std::string_view requested) {
  for (const Version v : {Version::v2024_11_05, Version::v2025_03_26, Version::v2025_06_18})
    if (requested == to_string(v)) return v;
  return Version::v2025_11_25;
}

json client_capabilities(const json& params) {
  const auto meta = params.find("_meta");
  if (meta == params.end() || !meta->is_object()) return json::object();
  const auto declared = meta->find(kCapabilitiesKey);
  return declared != meta->end() && declared->is_object() ? *declared : json::object();
}

bool declares(const json& capabilities, const json& needs) {
  if (!needs.is_object()) return true;
  if (!capabilities.is_object()) return false;
  for (const auto& [name, need] : needs.items())
    if (const auto have = capabilities.find(name); have == capabilities.end() || !declares(*have, need))
      return false;
  return true;
}

std::optional<int> wanted_log_floor(const json& params) {
  const auto meta = params.find("_meta");
  if (meta == params.end() || !meta->is_object()) return std::nullopt;
  const auto level = meta->find(kLogLevelKey);
  return level == meta->end() ? std::nullopt : log_rank(*level);
}

tl::expected<std::optional<Version>, RpcError> version_of(const std::string& method, const json& params,
                                                          std::optional<Version> legacy) {
  if (const auto meta = params.find("_meta"); meta != params.end() && meta->is_object())
    for (const char* key : {kVersionKey, kCapabilitiesKey, kClientKey, kLogLevelKey})
      if (meta->contains(key)) return modern_version(*meta);
  if (legacy) return legacy;
  if (method == "initialize" || method == "ping") return std::nullopt;
  return tl::unexpected(
      invalid(text("missing _meta ", kVersionKey, " and ", kCapabilitiesKey, " (or call initialize first)")));
}

}  // namespace vastgpu
