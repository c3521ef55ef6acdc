#include "fleet/host_key.h"

#include <algorithm>
#include <array>
#include <system_error>

#include "core/log.h"
#include "core/text.h"
#include "fleet/record.h"

namespace vastgpu {
namespace {

constexpr auto kLogWait = std::chrono::seconds(60);   // the on-start script prints before sshd answers
constexpr auto kAskEvery = std::chrono::seconds(10);  // the log is a file that is made on request
constexpr auto kVerifyEvery = std::chrono::minutes(5);
constexpr int kLines = 20'000;  // the lines stand at the beginning of what may have become a long log
constexpr const char* kFirstAsked = "host-key-asked";
constexpr const char* kLastAsked = "host-key-log";

bool is_fingerprint(std::string_view word) {
  return word.size() == 50 && word.starts_with("SHA256:") && std::ranges::all_of(word.substr(7), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' ||
                  c == '/';
         });
}

std::optional<TimePoint> marked(const Deps& d, const Rental& rental, const char* mark) {
  const auto reports = d.ledger.layers(rental.label);
  if (!reports) return std::nullopt;
  const auto at = std::ranges::find(*reports, mark, &LayerReport::layer);
  return at == reports->end() ? std::nullopt : std::optional(at->at);
}

std::string contradiction(const Rental& rental) {
  return "SSH shows the host key " + rental.host_key.value_or("(none)") +
         ", but the container's log names another one";
}

}  // namespace

std::optional<std::string> logged_host_key(std::string_view log, std::string_view mark) {
  if (mark.empty()) return std::nullopt;
  constexpr std::array<std::string_view, 3> kKinds{"(ED25519)", "(ECDSA)", "(RSA)"};
  std::array<std::optional<std::string>, kKinds.size()> found;
  const std::string start = text("vast-gpu host key ", mark, ":");
  for (const std::string& line : split(std::string(log), '\n')) {
    const auto at = line.find(start);  // a time may stand before it
    if (at == std::string::npos) continue;
    const auto words = split(std::string(trim(line.substr(at + start.size()))), ' ');
    if (words.size() < 3 || !is_fingerprint(words[1])) continue;
    for (std::size_t kind = 0; kind < kKinds.size(); ++kind)
      if (words.back() == kKinds[kind]) found[kind] = words[1];
  }
  for (auto& fingerprint : found)
    if (fingerprint) return fingerprint;
  return std::nullopt;
}

HostKeyLog::HostKeyLog(const Deps& d, const Rental& rental)
    : d_(d), instance_(*rental.instance), mark_(rental.log_mark) {
  if (mark_.empty()) return;
  try {
    thread_ = std::jthread([this](const std::stop_token& stop) { read(stop); });
  } catch (const std::system_error& e) {
    log_fact("host-key log is not read: ", e.what());  // then the first key seen is trusted, and that is said
  }
}

std::optional<std::string> HostKeyLog::named() const {
  const std::scoped_lock hold(mutex_);
  return named_;
}

void HostKeyLog::names(std::string fingerprint) {
  const std::scoped_lock hold(mutex_);
  named_ = std::move(fingerprint);
}

void HostKeyLog::read(const std::stop_token& stop) {
  do {
    const auto log = d_.market.logs(instance_, kLines, stop);
    const auto named = log ? logged_host_key(*log, mark_) : std::nullopt;
    if (!named) continue;
    const std::scoped_lock hold(mutex_);
    named_ = named;
    return;
  } while (d_.clock.sleep_for(kAskEvery, stop));
}

Result<bool> log_is_due(const Deps& d, const Rental& rental) {
  if (rental.log_mark.empty()) return false;
  const TimePoint now = d.clock.now();
  if (const auto first = marked(d, rental, kFirstAsked)) return now - *first < kLogWait;
  if (auto noted = d.ledger.note_layer({rental.label, kFirstAsked, now, ""}); !noted)
    return fail(std::move(noted).error());
  return true;
}

Result<void> verify_host_key(const Deps& d, Rental& rental, std::stop_token stop) {
  if (rental.host_key_proof != HostKeyProof::first_use || rental.log_mark.empty() || !rental.host_key ||
      !rental.instance)
    return {};
  const TimePoint now = d.clock.now();
  if (const auto last = marked(d, rental, kLastAsked); last && now - *last < kVerifyEvery) return {};
  if (auto noted = d.ledger.note_layer({rental.label, kLastAsked, now, ""}); !noted) return noted;
  const auto log = d.market.logs(*rental.instance, kLines, std::move(stop));
  const auto named = log ? logged_host_key(*log, rental.log_mark) : std::nullopt;
  if (!named) return {};
  const bool same = *named == *rental.host_key;
  log_fact("host-key label=", rental.label, same ? " verified" : " CONTRADICTED by ", same ? "" : *named);
  auto written = d.ledger.add_event({now,
                                     same ? "host-key-verified" : "host-key-contradicted",
                                     rental.label,
                                     {{"ssh", *rental.host_key}, {"log", *named}}});
  if (!written) return written;
  return amend(d, rental, [&](Rental& r) {
    if (!r.host_key) return;
    r.host_key_proof = *named == *r.host_key ? HostKeyProof::container_log : HostKeyProof::contradicted;
    if (r.host_key_proof == HostKeyProof::contradicted) r.note = contradiction(r) + ": " + *named;
  });
}

Result<void> pin_first_use(const Deps& d, Rental& rental, Shell& shell, std::stop_token stop) {
  if (rental.host_key) return {};
  const std::string shown = shell.host_key_fingerprint();
  const auto line = shell.host_public_key(std::move(stop));
  auto pinned = amend(d, rental, [&](Rental& now) {
    if (now.host_key) return;
    now.host_key = shown;
    now.host_key_proof = HostKeyProof::first_use;
    now.host_key_line = line.value_or("");
  });
  if (!pinned || rental.host_key == shown) return pinned;
  return fail({.code = Code::corrupt,
               .what = "the host key is " + shown + ", but another call was shown " +
                       rental.host_key.value_or("(none)") + " by the same address",
               .next_step = "somebody may be in between: send nothing there, destroy the instance with "
                            "discard_results true and rent another"});
}

Result<void> check_host_key(const Rental& rental) {
  if (rental.host_key_proof != HostKeyProof::contradicted) return {};
  return fail({.code = Code::corrupt,
               .what = rental.note.starts_with("SSH shows") ? rental.note : contradiction(rental),
               .next_step = "somebody may be in between: send nothing there, destroy the instance with "
                            "discard_results true and rent another"});
}

json host_key_facts(const Rental& rental) {
  if (!rental.host_key) return nullptr;
  return {{"fingerprint", *rental.host_key}, {"verified_by", to_string(rental.host_key_proof)}};
}

std::string host_key_words(const Rental& rental) {
  if (!rental.host_key)
    return rental.ssh && rental.status == Status::ready
               ? "its SSH host key is not known yet: the first one that it shows will be trusted"
               : "";
  if (rental.host_key_proof == HostKeyProof::container_log) return {};
  if (rental.host_key_proof == HostKeyProof::contradicted)
    return "ALARM: " + contradiction(rental) + ": destroy it and rent another";
  return "SSH host key " + *rental.host_key +
         " was trusted on first use: the container's log has not confirmed it";
}

}  // namespace vastgpu
