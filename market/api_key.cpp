#include "market/api_key.h"

#include <algorithm>
#include <array>

#include "core/files.h"
#include "core/text.h"
#include "market/api_errors.h"

namespace vastgpu {
namespace {

constexpr std::size_t kMaxKeyFile = 4096;

Result<FoundKey> checked(std::string_view raw, const std::string& place) {
  const std::string_view key = trim(raw);
  const bool plain = std::all_of(key.begin(), key.end(), [](char c) { return c > ' ' && c < '\x7f'; });
  if (!plain || key.size() > 512)
    return fail({.code = Code::invalid_argument,
                 .what = "what stands in " + place + " is not an API key",
                 .next_step = "put the bare key there, on one line (cloud.vast.ai, page Keys)"});
  return FoundKey{Secret(std::string(key)), place};
}

}  // namespace

Result<FoundKey> find_api_key(const ReadVariable& variable, const std::filesystem::path& home) {
  if (const auto key = variable("VAST_API_KEY"); key && !trim(*key).empty())
    return checked(*key, "VAST_API_KEY");

  const auto xdg = variable("XDG_CONFIG_HOME");
  // The XDG rules say that a relative path is to be ignored.
  const bool set = xdg && std::filesystem::path(*xdg).is_absolute();
  const std::filesystem::path vendor = (set ? std::filesystem::path(*xdg) : home / ".config") / "vastai";
  for (const auto& file :
       std::array{vendor / "vast_tfa_key", vendor / "vast_api_key", home / ".vast_api_key"}) {
    const auto content = read_file(file, kMaxKeyFile);
    if (content && !trim(*content).empty()) return checked(*content, file.string());
    if (!content && content.error().code != Code::not_found) {
      Error e = content.error();
      return fail(std::move(e).during("reading the API key"));
    }
  }
  return fail(no_key());
}

}  // namespace vastgpu
