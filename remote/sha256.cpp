#include "remote/sha256.h"

#include <array>

namespace vastgpu {

Sha256::Sha256() : state_(EVP_MD_CTX_new()) { EVP_DigestInit_ex(state_.get(), EVP_sha256(), nullptr); }

void Sha256::add(std::string_view piece) { EVP_DigestUpdate(state_.get(), piece.data(), piece.size()); }

std::string Sha256::end() {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::array<unsigned char, EVP_MAX_MD_SIZE> raw{};
  unsigned size = 0;
  EVP_DigestFinal_ex(state_.get(), raw.data(), &size);
  std::string out;
  for (unsigned i = 0; i < size; ++i) {
    out += kDigits[raw[i] >> 4];
    out += kDigits[raw[i] & 15];
  }
  return out;
}

}  // namespace vastgpu
