#pragma once
// SHA-256 as bytes come by. One thread at a time per object.

#include <openssl/evp.h>

#include <memory>
#include <string>
#include <string_view>

namespace vastgpu {

class Sha256 {
 public:
  Sha256();
  void add(std::string_view piece);
  /// 64 lower-case hex digits; nothing may be added afterwards.
  std::string end();

 private:
  struct Free {
    void operator()(EVP_MD_CTX* c) const noexcept { EVP_MD_CTX_free(c); }
  };
  std::unique_ptr<EVP_MD_CTX, Free> state_;
};

}  // namespace vastgpu
