#include "fleet/reach.h"

#include "core/log.h"
#include "core/text.h"
#include "fleet/guard.h"
#include "fleet/host_key.h"
#include "fleet/record.h"

namespace vastgpu {

Result<std::unique_ptr<Shell>> reach(const Deps& d, const Rental& rental, std::stop_token stop) {
  if (rental.status == Status::stopped)
    return fail({.code = Code::wrong_state,
                 .what = "the machine is stopped; its disk is kept",
                 .next_step = "call extend with hours 0.25 to start it again"});
  if (rental.status == Status::destroyed || rental.status == Status::refused)
    return fail({.code = Code::wrong_state,
                 .what = "the rental is over (" + std::string(to_string(rental.status)) + ")",
                 .next_step = "call list to see what is rented"});
  if (!rental.ssh)
    return fail(
        {.code = Code::wrong_state,
         .what =
             "SSH to this machine was never verified (it is " + std::string(to_string(rental.status)) + ")",
         .next_step = "call rent again with quote_id " + rental.quote_id + " to go on waiting for it"});
  if (auto trusted = check_host_key(rental); !trusted) return fail(std::move(trusted).error());
  SshTarget target;
  target.candidates = {*rental.ssh};
  Rental known = rental;  // an adopted one has no pin at first; an earlier call may have set it
  if (!known.host_key)
    if (auto read = refresh(d, known); !read) return fail(std::move(read).error());
  target.pinned_host_key = known.host_key;
  auto connection = d.ssh.connect(target, stop);
  if (!connection) return fail(std::move(connection).error().during("connecting to " + to_url(*rental.ssh)));
  if (auto pinned = pin_first_use(d, known, *connection->shell, std::move(stop)); !pinned)
    return fail(std::move(pinned).error());
  return std::move(connection->shell);
}

Duration clock_skew(TimePoint machine, TimePoint before, TimePoint after) {
  const Duration skew = machine - (before + (after - before) / 2);
  return std::chrono::abs(skew) <= (after - before) + std::chrono::seconds(30) ? Duration{} : skew;
}

Result<void> tell_lease(const Deps& d, const Rental& rental, Shell& shell, std::stop_token stop) {
  const TimePoint before = d.clock.now();
  auto said = shell.exec("date +%s", {}, stop);
  if (!said) return fail(std::move(said).error());
  Duration skew{};
  if (const auto seconds = read_integer(json{{"now", std::string(trim(said->out))}}, "now"))
    skew = clock_skew(TimePoint(std::chrono::seconds(*seconds)), before, d.clock.now());
  return shell.put(kLeaseFile, lease_text(rental.lease_end + skew, rental.lease_end - d.clock.now()), 0644,
                   std::move(stop));
}

Result<Rental> rental_of(const Deps& d, InstanceId id) {
  auto rental = d.ledger.rental_by_instance(id);
  if (!rental) return fail(std::move(rental).error());
  if (!*rental)
    return fail({.code = Code::not_found,
                 .what = "instance " + to_string(id) + " is not in our ledger",
                 .next_step = "call list: it shows every instance of the account and which are ours"});
  return **std::move(rental);
}

Result<FileLock> lock_rental(const Deps& d, const std::string& label, const Caller& caller) {
  return FileLock::acquire(d.settings.state_folder / "locks", label, d.clock, caller.until, caller.stop)
      .map_error([](Error e) {
        if (e.code == Code::unavailable) {
          e.what = "another call is working on this rental";
          e.next_step = "wait for it, then call again";
        }
        return e;
      });
}

std::string publish(const Deps& d, const Rental& rental, const std::string& status) {
  if (!rental.instance || rental.project.empty()) return {};
  const InstanceFile file(rental.project, d.settings.state_folder / "locks");
  Result<void> written;
  if (status == "running" && rental.ssh) {
    InstanceRecord record;
    record.id = *rental.instance;
    record.offer = rental.offer;
    record.gpu_name = rental.gpu_name;
    record.num_gpus = rental.num_gpus;
    record.price = rental.price;
    record.ssh = *rental.ssh;
    record.created = rental.created;
    record.status = status;
    record.estimated_hours = rental.work;
    record.estimated_cost = rental.estimate;
    record.extra = {{"x_label", rental.label}, {"x_deadline", to_iso8601(rental.lease_end)}};
    written = file.put(record);
  } else {
    written = file.set_status(*rental.instance, status);
  }
  if (written) return {};
  log_fact("instance-file ", written.error().what);
  return written.error().what + "; " + written.error().next_step;
}

}  // namespace vastgpu
