#include "fleet/notice.h"

#include <algorithm>
#include <array>

#include "core/log.h"
#include "core/text.h"
#include "fleet/record.h"

namespace vastgpu {
namespace {

constexpr std::array<std::string_view, 9> kWords{"running", "starting", "offline", "exited",     "outbid",
                                                 "parked",  "frozen",   "stopped", "unreachable"};
constexpr std::string_view kNote = "watched: ";  // marks the notes that are ours to take back

bool is_one_of(const std::string& word, std::initializer_list<std::string_view> words) {
  return std::ranges::find(words, word) != words.end();
}

}  // namespace

std::string_view to_string(Seen s) { return kWords[static_cast<std::size_t>(s)]; }

Seen seen_in(const Rental& rental, const Instance& row) {
  const std::string actual = to_lower(row.actual_status);
  if (is_one_of(actual, {"offline", "unknown"})) return Seen::offline;
  if (actual == "frozen" || row.intended_status == "frozen") return Seen::frozen;
  if (actual == "created" && row.intended_status == "stopped") return Seen::parked;
  if (is_one_of(actual, {"exited", "stopped"})) {
    if (row.intended_status == "stopped") return Seen::stopped;
    return rental.interruptible ? Seen::outbid : Seen::exited;
  }
  return actual == "running" ? Seen::running : Seen::starting;
}

Result<Noticed> last_noticed(const Deps& d, const Rental& rental) {
  auto events = d.ledger.events(rental.label);
  if (!events) return fail(std::move(events).error());
  Noticed last{Seen::running, rental.ready.value_or(rental.created), false};
  for (const LedgerEvent& e : *events) {
    if (e.kind != "seen") continue;
    const auto at = std::ranges::find(kWords, read_field<std::string>(e.detail, "state").value_or(""));
    if (at != kWords.end()) last = {static_cast<Seen>(at - kWords.begin()), e.at, false};
  }
  return last;
}

Result<Noticed> notice(const Deps& d, Rental& rental, Seen now, const std::string& why) {
  auto last = last_noticed(d, rental);
  if (!last || last->seen == now) return last;
  const TimePoint at = d.clock.now();
  const std::string words = clean_line(why, 200);
  auto noted = d.ledger
                   .add_event({at,
                               "seen",
                               rental.label,
                               {{"state", to_string(now)}, {"was", to_string(last->seen)}, {"why", words}}})
                   .and_then([&] {
                     return amend(d, rental, [&](Rental& r) {
                       if (!r.note.empty() && !r.note.starts_with(kNote)) return;
                       if (now != Seen::running)
                         r.note = text(kNote, to_string(now), " since ", to_iso8601(at),
                                       words.empty() ? "" : ": " + words);
                       else
                         r.note.clear();
                     });
                   });
  if (!noted) return fail(std::move(noted).error().during("noting what became of " + rental.label));
  log_fact("seen label=", rental.label, " state=", to_string(now), " was=", to_string(last->seen));
  return Noticed{now, at, true};
}

std::string to_words(const Noticed& noticed, const std::string& why, TimePoint now) {
  if (noticed.seen == Seen::running || noticed.seen == Seen::stopped) return {};
  const std::string state = noticed.seen == Seen::unreachable ? "cannot be reached by SSH"
                            : noticed.seen == Seen::exited    ? "exited by itself"
                                                              : std::string(to_string(noticed.seen));
  return state + ", for " + hours(std::chrono::duration_cast<Hours>(now - noticed.since)) +
         (why.empty() ? "" : ": " + clean_line(why, 200));
}

}  // namespace vastgpu
