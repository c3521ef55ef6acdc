#include "fleet/boot.h"

#include <cctype>

#include "core/log.h"
#include "core/text.h"
#include "fleet/arm.h"
#include "fleet/host_key.h"
#include "fleet/lifecycle.h"
#include "fleet/reach.h"
#include "fleet/record.h"

namespace vastgpu {
namespace {

using State = BootOutcome::State;

constexpr auto kDirectGrace = std::chrono::seconds(60);  // direct ports appear late; then the relay will do
// New contracts are looked up in vain for seconds. The age of the intent alone says nothing: the create may
// have left long after it, from a computer that slept or died in between.
constexpr auto kMayBeUnknown = std::chrono::seconds(30);
constexpr auto kLogMoment = std::chrono::seconds(5);
constexpr auto kLoginLimit = std::chrono::milliseconds(8000);

bool has_any(std::string_view hay, std::initializer_list<std::string_view> needles) {
  const std::string low = to_lower(hay);
  return std::ranges::any_of(needles, [&](std::string_view n) { return low.find(n) != std::string::npos; });
}

std::string describe(const Instance& row) {
  std::string status = row.actual_status.empty() ? "being provisioned" : row.actual_status;
  const std::string message = clean_line(row.status_msg, 120);
  return message.empty() ? status : status + ": " + message;
}

/// The lines of `nvidia-smi --query-gpu=name,memory.total --format=csv,noheader,nounits`.
struct SeenGpu {
  std::string name;
  double ram_mb = 0;
};
std::vector<SeenGpu> parse_gpus(const std::string& out) {
  std::vector<SeenGpu> gpus;
  for (const std::string& line : split(out, '\n')) {
    const auto comma = line.rfind(',');
    if (comma == std::string::npos) continue;
    gpus.push_back({clean_line(line.substr(0, comma), 80), std::atof(line.c_str() + comma + 1)});
  }
  return gpus;
}

/// The key that the log names, waited for a moment: it comes while we poll, and mostly before SSH answers.
std::optional<std::string> named_in_log(const Deps& d, const HostKeyLog& log, std::stop_token stop) {
  const TimePoint until = d.clock.now() + kLogMoment;
  auto named = log.named();
  while (!named && d.clock.now() < until && d.clock.sleep_for(std::chrono::milliseconds(500), stop))
    named = log.named();
  return named;
}

// The machine prints its keys three times within its first two minutes.
constexpr auto kKeysArePrinted = std::chrono::seconds(150);

/// A key that SSH shows and the log does not name. The log is read again: an image may have made new keys
/// after the first ones were printed, and a log that cannot be read says nothing. nullopt: try again; nothing
/// was sent.
std::optional<BootOutcome> other_key(const Deps& d, const Rental& rental, const std::string& named,
                                     const Error& e, HostKeyLog& reader, std::stop_token stop) {
  const auto log = d.market.logs(*rental.instance, 20'000, std::move(stop));
  const auto now = log ? logged_host_key(*log, rental.log_mark) : std::nullopt;
  if (now && *now != named) {
    reader.names(*now);
    return std::nullopt;
  }
  if (reader.contradicted_for(d.clock.now()) < kKeysArePrinted) return std::nullopt;
  return BootOutcome{
      State::failed, e.what + "; the pinned one is what the container printed into its log", true, true, {}};
}

/// Logs in, looks at the GPU, arms the lease. nullopt: not reachable yet, go on waiting.
Result<std::optional<BootOutcome>> check_machine(const Deps& d, Rental& rental, const Instance& row,
                                                 const std::vector<Endpoint>& candidates, HostKeyLog& log,
                                                 const Caller& caller) {
  const auto named = named_in_log(d, log, caller.stop);
  if (!named) {
    auto due = log_is_due(d, rental);
    if (!due) return fail(std::move(due).error());
    rental.note = "its log does not name its SSH host key yet";
    if (*due) return std::nullopt;
  }
  // What was trusted before the log came has got our secrets.
  if (named && rental.host_key && *rental.host_key != *named)
    return BootOutcome{State::failed,
                       "SSH showed the host key " + *rental.host_key +
                           " before, but the container printed another one into its log: " + *named,
                       true,
                       true,
                       {}};
  SshTarget target;
  target.candidates = candidates;
  target.pinned_host_key = named ? named : rental.host_key;
  target.limit = kLoginLimit;
  auto connection = d.ssh.connect(target, caller.stop);
  if (!connection) {
    const Error& e = connection.error();
    if (e.code == Code::cancelled) return fail(std::move(connection).error());
    if (e.code == Code::corrupt && named) {
      auto other = other_key(d, rental, *named, e, log, caller.stop);
      rental.note = e.what;
      return other;
    }
    if (e.code == Code::corrupt) return BootOutcome{State::failed, e.what, true, true, {}};
    rental.note = e.what;
    if (e.code == Code::unauthenticated) {  // keys go missing for a while: attach once more and keep trying
      if (auto key = d.ssh.public_key(); key)
        if (auto attached = d.market.attach_key(*rental.instance, *key, caller.stop); !attached)
          log_fact("attach-key label=", rental.label, " ", attached.error().what);
    }
    return std::nullopt;
  }
  if (!named)
    if (auto pinned = pin_first_use(d, rental, *connection->shell, caller.stop); !pinned) {
      if (pinned.error().code != Code::corrupt) return fail(std::move(pinned).error());
      return BootOutcome{State::failed, pinned.error().what, true, true, {}};
    }
  auto seen = connection->shell->exec(
      "nvidia-smi --query-gpu=name,memory.total --format=csv,noheader,nounits", {}, caller.stop);
  if (!seen) return std::nullopt;
  const auto gpus = parse_gpus(seen->out);
  if (seen->exit_code != 0 || gpus.empty())
    return BootOutcome{State::failed,
                       "nvidia-smi does not work there: " + clean_line(seen->err + seen->out, 160),
                       true,
                       true,
                       {}};
  if (static_cast<int>(gpus.size()) < rental.num_gpus || !same_gpu(rental.gpu_name, gpus[0].name))
    return BootOutcome{State::failed,
                       text("the machine shows ", gpus.size(), " x ", gpus[0].name, ", sold were ",
                            rental.num_gpus, " x ", rental.gpu_name),
                       true,
                       true,
                       {}};

  auto armed = arm(d, rental, *connection->shell, caller.stop);
  if (!armed) return std::nullopt;
  rental.note = armed->words;
  if (armed->state == Arming::State::waiting) return std::nullopt;
  const bool guarded = armed->state == Arming::State::armed;
  if (!guarded && !(d.settings.account && d.settings.account->allow_unguarded))
    return BootOutcome{State::failed,
                       "it could not end itself: " + armed->words +
                           " (allow_unguarded in settings.json would keep such a machine)",
                       true,
                       true,
                       {}};
  const TimePoint told = rental.lease_end;
  const auto key_line = connection->shell->host_public_key(caller.stop);
  auto noted = advance(d, rental, Event::checked, [&](Rental& now) {
    now.ssh = connection->endpoint;
    now.host_key = connection->shell->host_key_fingerprint();
    now.host_key_proof = named ? HostKeyProof::container_log : HostKeyProof::first_use;
    now.host_key_line = key_line.value_or("");
    now.ready = d.clock.now();
    now.seen_price = row.price;
    now.note = guarded ? "" : unguarded_note(armed->words);
  });
  if (!noted && noted.error().code == Code::wrong_state)
    return BootOutcome{State::overtaken, {}, false, true, {}};
  if (!noted) return fail(std::move(noted).error());
  BootOutcome ready{State::ready, gpus[0].name, false, true, {}};
  ready.warning = publish(d, rental, "running");  // "running" only now: others reuse such an entry at once
  if (rental.lease_end != told)                   // extended in this very moment
    if (auto again = tell_lease(d, rental, *connection->shell, caller.stop); !again)
      ready.warning += " the guard holds an older end: call extend with hours 0";
  if (!guarded)
    ready.warning += " " + rental.note + ". It will NOT end by itself: destroy it yourself in time";
  if (auto kept = d.ledger.add_machine_boot({rental.machine, *rental.ready, *rental.ready - rental.created});
      !kept)
    log_fact("machine-boot ", kept.error().what);  // only the next estimate misses it
  return ready;
}

}  // namespace

BootVerdict judge(const Instance& row) {
  if (has_any(row.status_msg,
              {"manifest for", "unable to find image", "invalid reference format", "manifest unknown"}) &&
      row.actual_status != "running")
    return BootVerdict::bad_image;
  if (row.actual_status != "running" &&
      has_any(row.status_msg,
              {"no space left on device", "oci runtime create failed", "cannot allocate memory",
               "unresolvable cdi devices", "failed to inject cdi", "unexpected fault address"}))
    return BootVerdict::bad_host;
  if (row.actual_status == "running" && row.intended_status != "stopped") return BootVerdict::up;
  if (row.actual_status == "exited" || row.actual_status == "stopped" || row.actual_status == "frozen" ||
      row.intended_status == "stopped")
    return BootVerdict::stopped;
  return BootVerdict::wait;  // offline and unknown can be a hiccup of a heartbeat: the boot limit decides
}

bool same_gpu(std::string_view sold, std::string_view reported) {
  // The model number has to appear: "RTX 4070S Ti" is reported as "NVIDIA GeForce RTX 4070 Ti SUPER".
  const std::string seen = gpu_key(reported);
  std::string word;
  bool has_number = false;
  const auto fits = [&] {
    if (word.empty()) return true;
    std::size_t digits_end = word.find_first_of("0123456789");
    if (digits_end == std::string::npos) return true;
    has_number = true;
    while (digits_end < word.size() && std::isdigit(static_cast<unsigned char>(word[digits_end])))
      ++digits_end;
    return seen.find(word.substr(0, digits_end)) != std::string::npos;
  };
  for (const char c : std::string(sold) + " ") {
    if (c == ' ' || c == '_' || c == '-') {
      if (!fits()) return false;
      // "A100 SXM4": the form factor is not part of every report, so the first number decides.
      if (has_number) return true;
      word.clear();
    } else {
      word += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
  }
  const auto last = gpu_key(sold);
  return seen.find(last) != std::string::npos || has_any(last, {"titan"});
}

Result<BootOutcome> wait_ready(const Deps& d, Rental& rental, const Caller& caller) {
  const TimePoint began = rental.created;
  const TimePoint limit = began + d.settings.boot_limit;
  std::optional<TimePoint> running_since, unknown_since;
  std::optional<HostKeyLog> log;
  int starts_sent = 0;
  for (;;) {
    // destroy and extend do not wait for us: what they wrote counts.
    if (auto read = refresh(d, rental); !read) return fail(std::move(read).error());
    if (rental.status != Status::booting) return BootOutcome{State::overtaken, {}, false, true, {}};
    auto row = d.market.instance(*rental.instance, caller.stop);
    std::string doing = "waiting for the marketplace";
    if (!row) {
      if (row.error().code == Code::cancelled || row.error().code == Code::unauthenticated)
        return fail(std::move(row).error());
      doing = row.error().what;  // unknown is not failed: keep polling until the limit
    } else if (*row) {
      unknown_since.reset();
      const Instance& it = **row;
      doing = describe(it);
      switch (judge(it)) {
        case BootVerdict::bad_image:
          return BootOutcome{State::failed,
                             "the image cannot be pulled: " + clean_line(it.status_msg, 160),
                             false,
                             false,
                             {}};
        case BootVerdict::bad_host:
          return BootOutcome{State::failed,
                             "the host cannot start containers: " + clean_line(it.status_msg, 160),
                             true,
                             true,
                             {}};
        case BootVerdict::stopped:
          // Parked: loaded fine but never started. A start may help, a few times.
          if (starts_sent >= 3)
            return BootOutcome{State::failed, "it was started three times and stays stopped", true, true, {}};
          ++starts_sent;
          if (auto written = d.ledger.add_event({d.clock.now(), "start", rental.label, {{"doing", doing}}});
              !written)
            return fail(std::move(written).error());
          if (auto started = d.market.start_instance(*rental.instance, caller.stop); !started)
            log_fact("start label=", rental.label, " ", started.error().what);
          break;
        case BootVerdict::up: {
          if (!running_since) running_since = d.clock.now();
          if (!log) log.emplace(d, rental);
          if (rental.interruptible && !it.is_bid)
            return BootOutcome{
                State::failed, "it was rented at the full price, not for the bid", false, true, {}};
          // A bid pays for the GPU alone.
          if (const UsdPerHour most =
                  rental.price + (rental.interruptible && !rental.bid ? it.storage_price : UsdPerHour{});
              it.price.value > most.value * 1.01 + 1e-6)
            return BootOutcome{
                State::failed,
                "the price rose from " + money(most) + " to " + money(it.price) + " after renting",
                false,
                true,
                {}};
          std::vector<Endpoint> candidates;
          if (it.direct) candidates.push_back(*it.direct);
          if (it.relay && (it.direct || d.clock.now() - *running_since >= kDirectGrace))
            candidates.push_back(*it.relay);
          if (!candidates.empty()) {
            auto checked = check_machine(d, rental, it, candidates, *log, caller);
            if (!checked) return fail(std::move(checked).error());
            if (*checked) return **checked;
            doing = "running; " + (rental.note.empty() ? std::string("SSH does not answer yet")
                                                       : clean_line(rental.note, 160));
          } else {
            doing = "running; the SSH port is not mapped yet";
          }
          break;
        }
        case BootVerdict::wait:
          break;
      }
    } else {
      if (!unknown_since) unknown_since = d.clock.now();
      if (d.clock.now() - began > std::chrono::minutes(2) && d.clock.now() - *unknown_since > kMayBeUnknown)
        return BootOutcome{
            State::failed, "the marketplace does not know the instance any more", false, true, {}};
    }
    const double share = std::chrono::duration<double>(d.clock.now() - began) /
                         std::chrono::duration<double>(d.settings.boot_limit);
    caller.progress(std::min(0.99, share), "instance " + to_string(*rental.instance) + ": " + doing);
    if (d.clock.now() >= limit)
      return BootOutcome{State::failed,
                         "not ready within " +
                             hours(std::chrono::duration_cast<Hours>(d.settings.boot_limit)) + " (" + doing +
                             ")",
                         true,
                         true,
                         {}};
    if (d.clock.now() >= caller.until) return BootOutcome{State::booting, doing, false, true, {}};
    if (!d.clock.sleep_for(d.settings.poll_every, caller.stop))
      return fail(
          {.code = Code::cancelled,
           .what = "stopped waiting for instance " + to_string(*rental.instance),
           .next_step = "it goes on booting and billing: call rent with the same quote_id, or destroy",
           .effect = Effect::happened});
  }
}

}  // namespace vastgpu
