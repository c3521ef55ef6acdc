#include "core/rental.h"

#include <array>

namespace vastgpu {
namespace {
constexpr std::array kStatusWords{"renting",    "booting",   "ready",  "stopped",
                                  "destroying", "destroyed", "refused"};
constexpr std::array kLeaseEndWords{"stop", "destroy"};
constexpr std::array kHostKeyWords{"first use", "container log", "contradicted by the container log"};
constexpr std::array kJobWords{"queued", "starting", "running", "finished", "failed", "lost", "stopped"};

template <class E, std::size_t N>
std::optional<E> find_word(const std::array<const char*, N>& words, std::string_view word) {
  for (std::size_t i = 0; i < N; ++i)
    if (word == words[i]) return static_cast<E>(i);
  return std::nullopt;
}
}  // namespace

const char* to_string(Status s) { return kStatusWords[static_cast<std::size_t>(s)]; }
std::optional<Status> parse_status(std::string_view word) { return find_word<Status>(kStatusWords, word); }
const char* to_string(LeaseEnd e) { return kLeaseEndWords[static_cast<std::size_t>(e)]; }
std::optional<LeaseEnd> parse_lease_end(std::string_view word) {
  return find_word<LeaseEnd>(kLeaseEndWords, word);
}
const char* to_string(HostKeyProof p) { return kHostKeyWords[static_cast<std::size_t>(p)]; }
std::optional<HostKeyProof> parse_host_key_proof(std::string_view word) {
  return find_word<HostKeyProof>(kHostKeyWords, word);
}
const char* to_string(JobState s) { return kJobWords[static_cast<std::size_t>(s)]; }
std::optional<JobState> parse_job_state(std::string_view word) {
  return find_word<JobState>(kJobWords, word);
}

}  // namespace vastgpu
