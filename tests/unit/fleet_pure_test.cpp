// The parts of fleet/ that are pure functions: lifecycle, boot verdicts.

#include <regex>

#include "fleet/boot.h"
#include "fleet/lease.h"
#include "fleet/lifecycle.h"
#include "fleet/reconcile.h"
#include "tests/support/catch.h"

using namespace vastgpu;

TEST_CASE("every status that may bill can be destroyed, and destroyed comes only from being seen gone") {
  for (const Transition& t : kTransitions) {
    if (may_bill(t.to)) CHECK(next(t.to, Event::destroy_asked));
    if (t.to == Status::destroyed) CHECK(t.on == Event::seen_gone);
  }
  Rental r;
  r.status = Status::destroyed;
  CHECK(step(r, Event::checked).error().code == Code::wrong_state);
  CHECK(r.status == Status::destroyed);
}

TEST_CASE("what nvidia-smi reports is compared with what was sold") {
  CHECK(same_gpu("RTX 4090", "NVIDIA GeForce RTX 4090"));
  CHECK(same_gpu("RTX 4070S Ti", "NVIDIA GeForce RTX 4070 Ti SUPER"));
  CHECK(same_gpu("RTX 6000Ada", "NVIDIA RTX 6000 Ada Generation"));
  CHECK(same_gpu("A100 SXM4", "NVIDIA A100-SXM4-80GB"));
  CHECK(same_gpu("H100 SXM", "NVIDIA H100 80GB HBM3"));
  CHECK(same_gpu("Tesla V100", "Tesla V100-SXM2-16GB"));
  CHECK(same_gpu("L40S", "NVIDIA L40S"));
  CHECK_FALSE(same_gpu("RTX 4090", "NVIDIA GeForce RTX 3090"));
  CHECK_FALSE(same_gpu("B200", "NVIDIA H100 80GB HBM3"));
  CHECK_FALSE(same_gpu("RTX 4090", ""));
}

TEST_CASE("what the marketplace says about a booting machine") {
  Instance row;
  CHECK(judge(row) == BootVerdict::wait);
  row.actual_status = "loading";
  row.intended_status = "running";
  row.status_msg = "7c3b88808835: Retrying in 5 seconds";
  CHECK(judge(row) == BootVerdict::wait);
  row.status_msg = "toomanyrequests: rate limit";  // transient: the host retries
  CHECK(judge(row) == BootVerdict::wait);
  row.status_msg = "manifest for pytorch/pytorch:9.9 not found";
  CHECK(judge(row) == BootVerdict::bad_image);
  row.status_msg = "Error response: OCI runtime create failed: unable to start";
  row.actual_status = "created";
  CHECK(judge(row) == BootVerdict::bad_host);
  row = {};
  row.actual_status = "running";
  row.intended_status = "running";
  CHECK(judge(row) == BootVerdict::up);
  row.actual_status = "exited";
  CHECK(judge(row) == BootVerdict::stopped);
  row.actual_status = "some new word";
  CHECK(judge(row) == BootVerdict::wait);
}

TEST_CASE("labels are ours by form, unique, and cannot be confused by a prefix") {
  const std::string a = new_label("/home/me/My Project!"), b = new_label("/home/me/My Project!");
  CHECK(a != b);
  CHECK(is_our_label(a));
  CHECK(a.size() <= 64);
  CHECK(std::regex_match(a, std::regex("vg-[A-Za-z0-9._-]+-[0-9a-f]{12}")));
  CHECK_FALSE(is_our_label("job-1"));
}

TEST_CASE("more hours count from the end of the lease, or from now where nobody knows or it is over") {
  const TimePoint now = from_unix_seconds(1'800'000'000);
  Rental r;
  r.status = Status::ready;
  r.lease_end = now - std::chrono::hours(2);
  CHECK(extended_end(r, Hours(3), now) == now + std::chrono::hours(1));
  r.adopted = true;
  CHECK(extended_end(r, Hours(3), now) == now + std::chrono::hours(3));
  r.adopted = false;
  r.status = Status::stopped;
  CHECK(extended_end(r, Hours(3), now) == now + std::chrono::hours(3));
  r.lease_end = now + std::chrono::hours(1);
  CHECK(extended_end(r, Hours(3), now) == now + std::chrono::hours(4));
}
