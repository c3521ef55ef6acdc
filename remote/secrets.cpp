#include "remote/secrets.h"

#include <algorithm>
#include <iterator>

#include "core/text.h"
#include "remote/globs.h"

namespace vastgpu {
namespace {

constexpr std::string_view kFiles[] = {".env",
                                       ".env.*",
                                       "*.env",
                                       "*.pem",
                                       "*.key",
                                       "*.p12",
                                       "*.pfx",
                                       "*.ppk",
                                       "*.kdbx",
                                       "id_rsa*",
                                       "id_dsa*",
                                       "id_ecdsa*",
                                       "id_ed25519*",
                                       ".netrc",
                                       "_netrc",
                                       ".pgpass",
                                       ".pypirc",
                                       ".npmrc",
                                       ".htpasswd",
                                       ".mcp.json",
                                       "mcp.json",
                                       "kaggle.json",
                                       ".boto",
                                       ".s3cfg",
                                       ".envrc",
                                       "opencode.json*",
                                       ".git-credentials",
                                       "credentials.json",
                                       "*vast_api_key*",
                                       "service-account*.json",
                                       "vast-instances.json*",
                                       ".vault-token"};
constexpr std::string_view kFolders[] = {".ssh",    ".gnupg",  ".aws",    ".azure",      ".gcloud", ".kube",
                                         ".docker", ".kaggle", ".claude", ".codex",      ".cursor", ".gemini",
                                         ".vscode", ".idea",   ".aris",   ".huggingface"};

}  // namespace

bool may_hold_secrets(std::string_view name, bool is_folder) {
  const std::string lower = to_lower(name);
  const auto matches = [&](std::string_view pattern) { return glob_matches(pattern, lower); };
  if (is_folder) return std::any_of(std::begin(kFolders), std::end(kFolders), matches);
  return std::any_of(std::begin(kFiles), std::end(kFiles), matches);
}

}  // namespace vastgpu
