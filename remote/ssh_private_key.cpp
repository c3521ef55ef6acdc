#include "remote/ssh_private_key.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>

#include <array>
#include <optional>

#include "remote/ssh_wire.h"

namespace vastgpu {
namespace {

template <auto Free>
struct Freed {
  template <class T>
  void operator()(T* p) const {
    Free(p);
  }
};
using Key = std::shared_ptr<EVP_PKEY>;
using Number = std::unique_ptr<BIGNUM, Freed<BN_clear_free>>;
using Builder = std::unique_ptr<OSSL_PARAM_BLD, Freed<OSSL_PARAM_BLD_free>>;
using Params = std::unique_ptr<OSSL_PARAM, Freed<OSSL_PARAM_free>>;
using Maker = std::unique_ptr<EVP_PKEY_CTX, Freed<EVP_PKEY_CTX_free>>;
using Digest = std::unique_ptr<EVP_MD_CTX, Freed<EVP_MD_CTX_free>>;
using Signature = std::unique_ptr<ECDSA_SIG, Freed<ECDSA_SIG_free>>;

constexpr std::string_view kMagic{"openssh-key-v1\0", 15};
constexpr std::string_view kBegin = "-----BEGIN OPENSSH PRIVATE KEY-----";
constexpr std::string_view kEnd = "-----END OPENSSH PRIVATE KEY-----";

struct Curve {
  const char* ssh;      ///< RFC 5656
  const char* openssl;  ///< as the library names it
  std::size_t bytes;
  const EVP_MD* (*digest)();
};
constexpr std::array<Curve, 3> kCurves{{{"nistp256", "prime256v1", 32, EVP_sha256},
                                        {"nistp384", "secp384r1", 48, EVP_sha384},
                                        {"nistp521", "secp521r1", 66, EVP_sha512}}};

const unsigned char* bytes(std::string_view s) { return reinterpret_cast<const unsigned char*>(s.data()); }
Number number(std::string_view s) {
  return Number(BN_bin2bn(bytes(s), static_cast<int>(std::min<std::size_t>(s.size(), 8192)), nullptr));
}
Key owned(EVP_PKEY* key) { return key == nullptr ? Key() : Key(key, EVP_PKEY_free); }

/// A number as SSH writes it: no leading zeros, but for one where it would look negative.
void put_number(std::string& out, const BIGNUM* n) {
  std::string raw(static_cast<std::size_t>(BN_num_bytes(n)), '\0');
  BN_bn2bin(n, reinterpret_cast<unsigned char*>(raw.data()));
  if (!raw.empty() && (raw.front() & 0x80) != 0) raw.insert(raw.begin(), '\0');
  put_string(out, raw);
}

Number number_of(EVP_PKEY* key, const char* name) {
  BIGNUM* n = nullptr;
  EVP_PKEY_get_bn_param(key, name, &n);
  return Number(n);
}

/// A key of that kind from its numbers.
Key made_of(const char* kind, OSSL_PARAM_BLD* builder) {
  const Params params(OSSL_PARAM_BLD_to_param(builder));
  const Maker maker(EVP_PKEY_CTX_new_from_name(nullptr, kind, nullptr));
  EVP_PKEY* key = nullptr;
  if (!params || !maker || EVP_PKEY_fromdata_init(maker.get()) != 1 ||
      EVP_PKEY_fromdata(maker.get(), &key, EVP_PKEY_KEYPAIR, params.get()) != 1)
    return {};
  return owned(key);
}

Key read_rsa(WireReader& r) {
  const auto n = r.string(), e = r.string(), d = r.string();
  if (!n || !e || !d) return {};
  const Number modulus = number(*n), open = number(*e), secret = number(*d);
  const Builder builder(OSSL_PARAM_BLD_new());
  if (!builder || OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, modulus.get()) != 1 ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, open.get()) != 1 ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_D, secret.get()) != 1)
    return {};
  return made_of("RSA", builder.get());
}

Key read_ecdsa(WireReader& r) {
  const auto name = r.string(), point = r.string(), d = r.string();
  if (!name || !point || !d) return {};
  for (const Curve& curve : kCurves) {
    if (*name != curve.ssh) continue;
    const Number secret = number(*d);
    const Builder builder(OSSL_PARAM_BLD_new());
    if (!builder ||
        OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, curve.openssl, 0) != 1 ||
        OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point->data(),
                                         point->size()) != 1 ||
        OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_PRIV_KEY, secret.get()) != 1)
      return {};
    return made_of("EC", builder.get());
  }
  return {};
}

Key read_ed25519(WireReader& r) {
  r.string();  // the public half, which stands in the other one, too
  const auto both = r.string();
  if (!both || both->size() != 64) return {};
  return owned(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, bytes(*both), 32));
}

/// @source PROTOCOL.key of OpenSSH
Key read_openssh(std::string_view body) {
  auto raw = from_base64(body);
  if (!raw || !raw->starts_with(kMagic)) return {};
  WireReader r(std::string_view(*raw).substr(kMagic.size()));
  const auto cipher = r.string();
  r.string();  // key derivation
  r.string();  // its options
  r.u32();     // number of keys
  r.string();  // public half
  const auto inner = r.string();
  Key key;
  if (cipher == "none" && inner) {
    WireReader secret(*inner);
    const auto check = secret.u32(), again = secret.u32();
    const auto type = secret.string();
    if (check && check == again && type)
      key = *type == "ssh-rsa"                      ? read_rsa(secret)
            : *type == "ssh-ed25519"                ? read_ed25519(secret)
            : type->starts_with("ecdsa-sha2-nistp") ? read_ecdsa(secret)
                                                    : Key();
  }
  OPENSSL_cleanse(raw->data(), raw->size());
  return key;
}

/// Never asks for a passphrase.
int no_passphrase(char*, int, int, void*) { return -1; }

Key read_pem(const std::string& text) {
  const std::unique_ptr<BIO, Freed<BIO_free_all>> memory(
      BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  if (!memory) return {};
  return owned(PEM_read_bio_PrivateKey(memory.get(), nullptr, no_passphrase, nullptr));
}

const Curve* curve_of(EVP_PKEY* key) {
  std::array<char, 64> name{};
  std::size_t size = 0;
  if (EVP_PKEY_get_group_name(key, name.data(), name.size(), &size) != 1) return nullptr;
  for (const Curve& curve : kCurves)
    if (std::string_view(name.data(), size) == curve.openssl) return &curve;
  return nullptr;
}

std::optional<PublicKey> public_half(EVP_PKEY* key) {
  PublicKey pub;
  switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_ED25519: {
      std::array<unsigned char, 32> open{};
      std::size_t size = open.size();
      if (EVP_PKEY_get_raw_public_key(key, open.data(), &size) != 1) return std::nullopt;
      pub.type = "ssh-ed25519";
      put_string(pub.blob, pub.type);
      put_string(pub.blob, {reinterpret_cast<const char*>(open.data()), size});
      return pub;
    }
    case EVP_PKEY_RSA: {
      const Number e = number_of(key, OSSL_PKEY_PARAM_RSA_E), n = number_of(key, OSSL_PKEY_PARAM_RSA_N);
      if (!e || !n) return std::nullopt;
      pub.type = "ssh-rsa";
      put_string(pub.blob, pub.type);
      put_number(pub.blob, e.get());
      put_number(pub.blob, n.get());
      return pub;
    }
    case EVP_PKEY_EC: {
      const Curve* curve = curve_of(key);
      // The coordinates, not the stored point, which may be a compressed one.
      const Number x = number_of(key, OSSL_PKEY_PARAM_EC_PUB_X), y = number_of(key, OSSL_PKEY_PARAM_EC_PUB_Y);
      if (curve == nullptr || !x || !y) return std::nullopt;
      std::string point(1 + 2 * curve->bytes, '\4');
      auto* at = reinterpret_cast<unsigned char*>(point.data()) + 1;
      const int width = static_cast<int>(curve->bytes);
      if (BN_bn2binpad(x.get(), at, width) != width ||
          BN_bn2binpad(y.get(), at + curve->bytes, width) != width)
        return std::nullopt;
      pub.type = std::string("ecdsa-sha2-") + curve->ssh;
      put_string(pub.blob, pub.type);
      put_string(pub.blob, curve->ssh);
      put_string(pub.blob, point);
      return pub;
    }
    default:
      return std::nullopt;
  }
}

/// OpenSSL's signature of two numbers, as SSH has it.
std::optional<std::string> two_numbers(const std::string& der) {
  const unsigned char* at = bytes(der);
  const Signature pair(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size())));
  if (!pair) return std::nullopt;
  std::string out;
  put_number(out, ECDSA_SIG_get0_r(pair.get()));
  put_number(out, ECDSA_SIG_get0_s(pair.get()));
  return out;
}

}  // namespace

std::string_view login_algorithm(std::string_view request) {
  WireReader r(request);
  r.string();  // session
  r.byte();
  r.string();  // user
  r.string();  // service
  r.string();  // "publickey"
  r.byte();
  return r.string().value_or("");
}

Result<PrivateKey> PrivateKey::read(const Secret& text) {
  const std::string& all = text.reveal();
  const auto begin = all.find(kBegin), end = all.find(kEnd);
  const bool openssh = begin != std::string::npos && end != std::string::npos && end > begin;
  Key key =
      openssh ? read_openssh(std::string_view(all).substr(begin + kBegin.size(), end - begin - kBegin.size()))
              : read_pem(all);
  const auto pub = key ? public_half(key.get()) : std::nullopt;
  if (!pub)
    return fail({.code = Code::corrupt,
                 .what = "the private key is damaged, encrypted or of a kind that SSH servers do not take",
                 .next_step = "use an ed25519, ECDSA or RSA key: ssh-keygen -t ed25519"});
  return PrivateKey(std::move(key), *pub);
}

Result<std::string> PrivateKey::sign(std::string_view algorithm, std::string_view data) const {
  const EVP_MD* digest = nullptr;
  bool fits = algorithm == pub_.type;
  if (pub_.type == "ssh-rsa") {
    fits = algorithm == "rsa-sha2-512" || algorithm == "rsa-sha2-256";  // SHA-1 is over
    digest = algorithm == "rsa-sha2-256" ? EVP_sha256() : EVP_sha512();
  } else if (const Curve* curve = pub_.type == "ssh-ed25519" ? nullptr : curve_of(key_.get())) {
    digest = curve->digest();
  }
  const Digest context(EVP_MD_CTX_new());
  std::size_t size = 0;
  std::string out;
  if (fits && context && EVP_DigestSignInit(context.get(), nullptr, digest, nullptr, key_.get()) == 1 &&
      EVP_DigestSign(context.get(), nullptr, &size, bytes(data), data.size()) == 1) {
    out.resize(size);
    if (EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(out.data()), &size, bytes(data),
                       data.size()) == 1) {
      out.resize(size);
      if (!pub_.type.starts_with("ecdsa-")) return out;
      if (auto pair = two_numbers(out)) return *std::move(pair);
    }
  }
  return fail({.code = Code::corrupt,
               .what = "the SSH key cannot sign a login with " + std::string(algorithm.substr(0, 40)),
               .next_step = "use an ed25519 key: ssh-keygen -t ed25519"});
}

}  // namespace vastgpu
