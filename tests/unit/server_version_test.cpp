#include "server/version.h"

#include "tests/support/catch.h"
#include "tests/support/wire_client.h"

using namespace vastgpu;

namespace {

json params_of(const json& meta) { return {{"_meta", meta}}; }
const char* const kVersion = "io.modelcontextprotocol/protocolVersion";
const char* const kCapabilities = "io.modelcontextprotocol/clientCapabilities";

}  // namespace

TEST_CASE("a handshake agrees on what was asked for, or on the newest legacy revision") {
  for (const char* known : {"2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"})
    CHECK(to_string(negotiate(known)) == std::string(known));
  for (const char* other : {"2026-07-28", "1999-01-01", "", "2031-01-01"})
    CHECK(negotiate(other) == Version::v2025_11_25);
}

TEST_CASE("each modern key makes a request modern, and then both required ones must be right") {
  for (const char* key : {"protocolVersion", "clientCapabilities", "clientInfo", "logLevel"}) {
    const auto got = version_of("tools/list", params_of({{std::string("io.modelcontextprotocol/") + key, 7}}),
                                Version::v2025_06_18);
    REQUIRE_FALSE(got);
    CHECK(got.error().code == kInvalidParams);
  }
  const auto whole =
      version_of("tools/list", params_of({{kVersion, "2026-07-28"}, {kCapabilities, json::object()}}),
                 Version::v2025_06_18);
  REQUIRE(whole);
  CHECK(*whole == Version::v2026_07_28);
}

TEST_CASE("a request without modern keys follows the handshake") {
  for (const json& params : {json::object(), params_of({{"progressToken", 1}}), params_of("text"),
                             params_of({{"traceparent", "x"}})}) {
    CHECK(version_of("tools/list", params, Version::v2024_11_05).value() == Version::v2024_11_05);
    CHECK(version_of("tools/list", params, std::nullopt).error().code == kInvalidParams);
    CHECK(version_of("ping", params, std::nullopt).value() == std::nullopt);
    CHECK(version_of("initialize", params, std::nullopt).value() == std::nullopt);
  }
}

TEST_CASE("an unknown modern revision is named, with the one we have") {
  const auto got =
      version_of("tools/list", params_of({{kVersion, "2025-11-25"}, {kCapabilities, json::object()}}), {});
  REQUIRE_FALSE(got);
  CHECK(got.error().code == kUnsupportedVersion);
  CHECK(got.error().data == json{{"supported", json::array({"2026-07-28"})}, {"requested", "2025-11-25"}});
}
