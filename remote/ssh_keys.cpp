#include "remote/ssh_keys.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

#include "core/crash_point.h"
#include "core/files.h"
#include "core/text.h"
#include "remote/ssh_private_key.h"
#include "remote/ssh_wire.h"

namespace vastgpu {
namespace {

constexpr std::size_t kLargestKeyFile = 64 * 1024;
constexpr std::string_view kMagic{"openssh-key-v1\0", 15};
constexpr std::string_view kBegin = "-----BEGIN OPENSSH PRIVATE KEY-----";
constexpr std::string_view kEnd = "-----END OPENSSH PRIVATE KEY-----";

struct FreeKey {
  void operator()(EVP_PKEY* k) const { EVP_PKEY_free(k); }
};
struct FreeContext {
  void operator()(EVP_PKEY_CTX* c) const { EVP_PKEY_CTX_free(c); }
};

std::optional<std::string> type_of(std::string_view blob) {
  const auto type = WireReader(blob).string();
  if (!type || type->empty()) return std::nullopt;
  return std::string(*type);
}

/// The header of OpenSSH's own format, which is readable even when the key is encrypted.
/// @source PROTOCOL.key of OpenSSH
void read_openssh_header(const std::string& body, KeyFile& key) {
  const auto raw = from_base64(body);
  if (!raw || raw->compare(0, kMagic.size(), kMagic) != 0) return;
  WireReader r(std::string_view(*raw).substr(kMagic.size()));
  const auto cipher = r.string();
  r.string();  // key derivation
  r.string();  // its options
  r.u32();     // number of keys
  const auto blob = r.string();
  key.encrypted = cipher.value_or("") != "none";
  if (!blob) return;
  if (auto type = type_of(*blob)) key.pub = PublicKey{*type, std::string(*blob), ""};
}

struct FreshKey {
  std::string private_text;
  PublicKey pub;
};

Result<FreshKey> make_ed25519(const std::string& comment) {
  const Error failed{
      .code = Code::internal, .what = "OpenSSL cannot make an SSH key", .next_step = "run: ssh-keygen"};
  const std::unique_ptr<EVP_PKEY_CTX, FreeContext> context(EVP_PKEY_CTX_new_id(EVP_PKEY_ED25519, nullptr));
  EVP_PKEY* made = nullptr;
  if (!context || EVP_PKEY_keygen_init(context.get()) != 1 || EVP_PKEY_keygen(context.get(), &made) != 1)
    return fail(failed);
  const std::unique_ptr<EVP_PKEY, FreeKey> key(made);
  std::array<unsigned char, 32> secret{}, open{};
  std::size_t secret_size = secret.size(), open_size = open.size();
  if (EVP_PKEY_get_raw_private_key(key.get(), secret.data(), &secret_size) != 1 ||
      EVP_PKEY_get_raw_public_key(key.get(), open.data(), &open_size) != 1)
    return fail(failed);
  const std::string public_part(reinterpret_cast<const char*>(open.data()), open_size);
  std::string private_part(reinterpret_cast<const char*>(secret.data()), secret_size);

  FreshKey fresh;
  fresh.pub.type = "ssh-ed25519";
  fresh.pub.comment = comment;
  put_string(fresh.pub.blob, fresh.pub.type);
  put_string(fresh.pub.blob, public_part);

  std::string inner;
  inner.reserve(1024);                      // one buffer to wipe, no copies left behind by growing
  const std::string check = random_hex(2);  // any four bytes, twice: tells a reader that decryption worked
  inner += check + check;
  put_string(inner, fresh.pub.type);
  put_string(inner, public_part);
  private_part += public_part;
  put_string(inner, private_part);
  put_string(inner, comment);
  for (char pad = 1; inner.size() % 8 != 0; ++pad) inner += pad;

  std::string raw(kMagic);
  raw.reserve(2048);
  put_string(raw, "none");
  put_string(raw, "none");
  put_string(raw, "");
  put_u32(raw, 1);
  put_string(raw, fresh.pub.blob);
  put_string(raw, inner);
  std::string coded = to_base64(raw);
  fresh.private_text.append(kBegin).append("\n");
  for (std::size_t i = 0; i < coded.size(); i += 70) fresh.private_text.append(coded, i, 70).append("\n");
  fresh.private_text.append(kEnd).append("\n");
  for (std::string* spent : {&private_part, &inner, &raw, &coded})
    OPENSSL_cleanse(spent->data(), spent->size());
  OPENSSL_cleanse(secret.data(), secret.size());
  return fresh;
}

Error cannot(const std::string& what, const std::filesystem::path& path) {
  return {.code = Code::unavailable,
          .what = what + " " + path.string() + ": " + std::strerror(errno),
          .next_step = "check the folder's permissions and its free space"};
}

}  // namespace

std::string PublicKey::line() const {
  std::string out = type + " " + to_base64(blob);
  if (!comment.empty()) out += " " + comment;
  return out;
}

std::optional<PublicKey> parse_public_key(const std::string& line) {
  const std::string first(trim(line.substr(0, line.find('\n'))));
  const auto after_type = first.find(' ');
  if (after_type == std::string::npos) return std::nullopt;
  const auto after_blob = first.find(' ', after_type + 1);
  const auto blob = from_base64(first.substr(after_type + 1, after_blob - after_type - 1));
  PublicKey key{first.substr(0, after_type), blob.value_or(""), ""};
  if (after_blob != std::string::npos) key.comment = clean_line(first.substr(after_blob + 1), 100);
  if (type_of(key.blob) != key.type) return std::nullopt;
  return key;
}

Result<KeyFile> read_key_file(const std::filesystem::path& path) {
  auto content = read_file(path, kLargestKeyFile);
  if (!content) return fail(std::move(content).error());
  KeyFile key;
  key.path = path;
  const auto begin = content->find(kBegin);
  const auto end = content->find(kEnd);
  if (begin != std::string::npos && end != std::string::npos && end > begin) {
    const auto from = begin + kBegin.size();
    read_openssh_header(content->substr(from, end - from), key);
  } else if (content->find("PRIVATE KEY-----") != std::string::npos) {
    key.encrypted = content->find("ENCRYPTED") != std::string::npos;
  } else {
    return fail({.code = Code::corrupt,
                 .what = path.string() + " is not an SSH private key",
                 .next_step = "name the private key, not the .pub file"});
  }
  key.text = Secret(*std::move(content));
  if (!key.encrypted)
    if (auto open = PrivateKey::read(key.text)) {
      key.pub = open->pub();
      key.open = std::make_shared<const PrivateKey>(*std::move(open));
    }
  if (auto beside = read_file(path.string() + ".pub", kLargestKeyFile); beside) {
    const auto pub = parse_public_key(*beside);
    if (pub && !key.pub) key.pub = pub;
    if (pub && key.pub->blob == pub->blob) key.pub->comment = pub->comment;
  }
  return key;
}

Result<KeyFile> own_key(const std::filesystem::path& folder) {
  const auto path = folder / "id_ed25519";
  auto have = read_key_file(path);
  if (have && have->open) return have;
  if (have || have.error().code != Code::not_found)
    return fail(
        {.code = Code::corrupt,
         .what = "our SSH key " + path.string() + " cannot be read",
         .next_step = "move that file away; a new key is made and has to be attached to running machines"});

  std::error_code bad;
  std::filesystem::create_directories(folder, bad);
  ::chmod(folder.c_str(), 0700);
  auto fresh = make_ed25519("vast-gpu");
  if (!fresh) return fail(std::move(fresh).error());
  const auto temporary = folder / ("id_ed25519." + random_hex(8));
  if (auto written = replace_file(temporary, fresh->private_text, 0600); !written)
    return fail(std::move(written).error());
  OPENSSL_cleanse(fresh->private_text.data(), fresh->private_text.size());
  const CrashPoints crash("disk");
  // link() never replaces: whoever comes second finds the first one's key and uses that.
  const int linked = ::link(temporary.c_str(), path.c_str());
  const bool lost_race = linked != 0 && errno == EEXIST;
  const Error trouble = cannot("cannot create", path);
  ::unlink(temporary.c_str());
  if (linked != 0 && !lost_race) return fail(trouble);
  have = read_key_file(path);
  if (have && have->open && !lost_race) {
    have->pub->comment = fresh->pub.comment;
    // Only for people's eyes; the private key carries its public half.
    if (auto noted = replace_file(path.string() + ".pub", have->pub->line() + "\n"); !noted)
      return fail(std::move(noted).error());
  }
  return have;
}

}  // namespace vastgpu
