#pragma once
// The five protocol revisions, and what each one has. Constant; any thread.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"
#include "server/rpc.h"

namespace vastgpu {

/// In order of age, so that `version >= Version::v2025_06_18` reads "from that revision on".
enum class Version { v2024_11_05, v2025_03_26, v2025_06_18, v2025_11_25, v2026_07_28 };
inline constexpr std::size_t kVersions = 5;

const char* to_string(Version v);

/// Modern requests stand alone and carry their version; legacy ones follow an `initialize`.
constexpr bool is_modern(Version v) { return v == Version::v2026_07_28; }

/// The answer to an `initialize`: what was asked for if it is a legacy revision, else the newest legacy one.
Version negotiate(std::string_view requested);

// What a revision knows; leave the rest out, since strict clients refuse it.
constexpr bool has_annotations(Version v) { return v >= Version::v2025_03_26; }
constexpr bool has_audio(Version v) { return v >= Version::v2025_03_26; }
constexpr bool has_progress_message(Version v) { return v >= Version::v2025_03_26; }
constexpr bool has_completions_capability(Version v) { return v >= Version::v2025_03_26; }
constexpr bool has_batches(Version v) { return v == Version::v2025_03_26; }
constexpr bool has_titles(Version v) { return v >= Version::v2025_06_18; }
constexpr bool has_elicitation(Version v) { return v >= Version::v2025_06_18; }
constexpr bool has_form_mode(Version v) { return v >= Version::v2025_11_25; }
constexpr bool has_resource_links(Version v) { return v >= Version::v2025_06_18; }
constexpr bool has_structured_content(Version v) { return v >= Version::v2025_06_18; }

/// What a modern request declares of its client; an empty object for others.
json client_capabilities(const json& params);
/// True when everything named in `needs` is declared, each object within an object too.
bool declares(const json& capabilities, const json& needs);

/// The rank (see log_rank) from which a modern request wants log messages; empty: it wants none.
std::optional<int> wanted_log_floor(const json& params);

/// Tells by its own shape in which revision a request is to be served; `legacy` is the one this process
/// negotiated. nullopt: before any handshake, where only `initialize` and `ping` are served.
/// @source MCP 2026-07-28, versioning: a request's `_meta` names its version; `initialize` selects legacy
tl::expected<std::optional<Version>, RpcError> version_of(const std::string& method, const json& params,
                                                          std::optional<Version> legacy);

}  // namespace vastgpu
