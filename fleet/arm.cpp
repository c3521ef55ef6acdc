#include "fleet/arm.h"

#include "core/text.h"
#include "fleet/reach.h"

namespace vastgpu {
namespace {

constexpr auto kPatience = std::chrono::minutes(4);  // it looks every 30 s, and asks for a minute at most
constexpr auto kFresh = std::chrono::minutes(3);
constexpr std::string_view kUnguarded = "UNGUARDED: ";

}  // namespace

std::string unguarded_note(const std::string& why) { return std::string(kUnguarded) + why; }

bool is_unguarded(const Rental& rental) { return rental.note.starts_with(kUnguarded); }

Arming judge_guard(const std::optional<GuardReport>& report, TimePoint now, Duration waited,
                   std::size_t key_size) {
  using enum Arming::State;
  const bool fresh = report && std::chrono::abs(now - report->now) <= kFresh;
  if (fresh && report->key == GuardKey::works) return {armed, {}};
  const std::string words = fresh ? to_words(report->key) : "the guard on the machine does not report";
  const bool all_tried =
      key_size == 0 || (fresh && report->key_file_size == static_cast<std::int64_t>(key_size));
  if (fresh && all_tried && (report->key == GuardKey::refused || report->key == GuardKey::none))
    return {cannot, words};
  return {waited >= kPatience ? cannot : waiting, words};
}

Result<Arming> arm(const Deps& d, const Rental& rental, Shell& shell, std::stop_token stop) {
  if (auto told = tell_lease(d, rental, shell, stop); !told) return fail(std::move(told).error());
  auto said = shell.exec(text("cd ", kRemoteHome, " && { [ -s asked ] || date +%s >asked; }\n",
                              "echo $(head -c 20 asked)\ndate +%s\nhead -c 200 ", kGuardFile),
                         {}, stop);
  if (!said) return fail(std::move(said).error());
  const auto lines = split(said->out, '\n');
  const auto moment = [&](std::size_t at) {
    const json row{{"s", at < lines.size() ? std::string(trim(lines[at])) : ""}};
    return TimePoint(std::chrono::seconds(read_integer(row, "s").value_or(0)));
  };
  const TimePoint asked = moment(0), now = moment(1);
  const auto report = read_guard_report(lines.size() > 2 ? lines[2] : "");
  const std::string key = key_text(*rental.instance, rental.instance_key);
  const std::size_t key_size = std::string_view(trim(key)).size();
  const Arming found = judge_guard(report, now, now - asked, key_size);
  if (found.state == Arming::State::armed || key.empty()) return found;
  if (!report || report->key_file_size != static_cast<std::int64_t>(key_size))
    if (auto put = shell.put(kKeyFile, key, 0600, stop); !put) return fail(std::move(put).error());
  return found;
}

}  // namespace vastgpu
