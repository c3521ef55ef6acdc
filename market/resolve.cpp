#include "market/resolve.h"

#include <arpa/inet.h>
#include <netdb.h>

#include <list>
#include <memory>
#include <mutex>

#include "market/url.h"

namespace vastgpu {
namespace {

bool is_address(const std::string& host) {
  unsigned char parsed[sizeof(in6_addr)];
  return inet_pton(AF_INET, host.c_str(), parsed) == 1 || inet_pton(AF_INET6, host.c_str(), parsed) == 1;
}

// ThreadSanitizer does not survive the threads that glibc starts by itself.
#if defined(__GLIBC__) && !defined(__SANITIZE_THREAD__)
#define VASTGPU_LOOKUP_CAN_BE_LEFT 1
#endif

#ifdef VASTGPU_LOOKUP_CAN_BE_LEFT

Error unknown_name(const std::string& host) {
  return {.code = Code::unavailable,
          .what = "the name " + host + " cannot be looked up",
          .next_step = "check the network and its name server, then call again"};
}

/// One lookup under way; glibc writes into it until it is done, so it must outlive our interest in it.
struct Lookup {
  explicit Lookup(std::string name) : host(std::move(name)) {
    hints.ai_socktype = SOCK_STREAM;
    request.ar_name = host.c_str();
    request.ar_request = &hints;
  }
  ~Lookup() {
    if (request.ar_result != nullptr) freeaddrinfo(request.ar_result);
  }
  Lookup(const Lookup&) = delete;
  Lookup& operator=(const Lookup&) = delete;
  bool under_way() { return gai_error(&request) == EAI_INPROGRESS; }

  std::string host;
  addrinfo hints{};
  gaicb request{};
};

/// Keeps lookups that nobody waits for any more until they have ended.
void abandon(std::unique_ptr<Lookup> lookup) {
  static std::mutex mutex;
  static auto& abandoned =
      *new std::list<std::unique_ptr<Lookup>>;  // glibc may still write while the program ends
  const std::scoped_lock hold(mutex);
  abandoned.remove_if([](const auto& one) { return !one->under_way(); });
  if (lookup->under_way() && gai_cancel(&lookup->request) == EAI_NOTCANCELED)
    abandoned.push_back(std::move(lookup));
}

#endif

}  // namespace

Result<void> check_name(const std::string& host, std::chrono::milliseconds limit,
                        const std::stop_token& stop) {
  if (is_address(host) || is_loopback(host)) return {};
#ifdef VASTGPU_LOOKUP_CAN_BE_LEFT
  auto lookup = std::make_unique<Lookup>(host);
  gaicb* list[] = {&lookup->request};
  if (getaddrinfo_a(GAI_NOWAIT, list, 1, nullptr) != 0)
    return {};  // no helper thread: the library will look it up
  const auto until = std::chrono::steady_clock::now() + limit;
  while (lookup->under_way()) {
    const bool late = std::chrono::steady_clock::now() > until;
    if (late || stop.stop_requested()) {
      abandon(std::move(lookup));
      if (late) return fail(unknown_name(host));
      return fail({.code = Code::cancelled,
                   .what = "stopped while looking up " + host,
                   .next_step = "call again to go on"});
    }
    const timespec slice{.tv_sec = 0, .tv_nsec = 50'000'000};  // returns at once when the answer comes
    const gaicb* const waiting[] = {&lookup->request};
    gai_suspend(waiting, 1, &slice);
  }
  if (gai_error(&lookup->request) != 0) return fail(unknown_name(host));
#else
  if (stop.stop_requested())
    return fail(
        {.code = Code::cancelled, .what = "stopped before looking up " + host, .next_step = "call again"});
  (void)limit;
#endif
  return {};
}

}  // namespace vastgpu
