#include "fleet/job_pulse.h"

#include <charconv>

#include "core/text.h"

namespace vastgpu {
namespace {

/// A whole number that is all of `word`, at most `most`.
std::optional<std::uint64_t> number(std::string_view word, std::uint64_t most) {
  std::uint64_t value = 0;
  const auto [end, bad] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (bad != std::errc{} || end != word.data() + word.size() || value > most) return std::nullopt;
  return value;
}

std::optional<Pulse> read_pulse(const std::string& line) {
  Pulse p;
  int n = 0;
  for (const std::string& word : split(line, ' ')) {
    if (word.empty()) continue;
    if (n == 0) {
      const auto at = number(word, 100'000'000'000);
      if (!at || *at == 0) return std::nullopt;
      p.at = TimePoint(std::chrono::seconds(*at));
    } else if (n == 1 || n == 2) {
      const auto size = number(word, std::uint64_t{1} << 52);
      if (!size) return std::nullopt;
      if (n == 1)
        p.log_size = *size;
      else
        p.disk_free = *size * 1024;
    } else {
      const auto colon = word.find(':');
      if (colon == std::string::npos || n > 70) return std::nullopt;
      const auto gpu = number(word.substr(0, colon), 1023), busy = number(word.substr(colon + 1), 100);
      if (!gpu || !busy) return std::nullopt;
      p.busy[static_cast<int>(*gpu)] = static_cast<int>(*busy);
    }
    ++n;
  }
  if (n < 3) return std::nullopt;
  return p;
}

}  // namespace

std::string pulse_script() {
  // A first one after a minute: a job that is over by then has no rhythm. nvidia-smi may hang with its
  // driver.
  return R"sh((
  unset command
  while sleep 60; kill -0 $$; do
    set -- $(df -kP /workspace | tail -n 1)
    now="$(date +%s) $(stat -c %s $log || echo 0) ${4:-0}"
    for one in $(timeout -k 2 10 nvidia-smi --query-gpu=index,utilization.gpu --format=csv,noheader,nounits | tr -d ' ' | tr ',' ':' | head -n 64); do
      case $one in *[!0-9:]*|????????*) ;; *) now="$now $one";; esac
    done
    { tail -n 119 $f/pulse; echo "$now"; } >$f/pulse.new; mv $f/pulse.new $f/pulse
  done
) </dev/null >/dev/null 2>&1 &
pulse=$!
)sh";
}

std::vector<Pulse> read_pulses(std::string_view notes) {
  std::vector<Pulse> pulses;
  for (const std::string& line : split(std::string(notes.substr(0, kMostPulses)), '\n'))
    if (auto p = read_pulse(line)) {
      if (!pulses.empty() && p->at < pulses.back().at) pulses.clear();
      pulses.push_back(*std::move(p));
    }
  return pulses;
}

}  // namespace vastgpu
