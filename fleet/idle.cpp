#include "fleet/idle.h"

#include <algorithm>
#include <cstdlib>

#include "core/text.h"
#include "fleet/guard.h"
#include "fleet/lease.h"

namespace vastgpu {
namespace {

constexpr double kResting = 5;  // percent; a desktop or a monitor takes some

}  // namespace

Result<Stillness> feel(Shell& shell, std::stop_token stop) {
  // The new mark is made first: what changes while we search counts next time.
  const std::string script = "m=" + std::string(kRemoteHome) + R"sh(/looked
touch $m.new 2>/dev/null || { echo moved; exit 0; }
if [ -e $m ]; then
  if [ -n "$(find /workspace -path /workspace/.vast-gpu -prune -o -newer $m -print 2>/dev/null | head -n 1)" ]; then echo moved; else echo still; fi
else echo first; fi
mv $m.new $m
timeout -k 2 10 nvidia-smi --query-gpu=utilization.gpu --format=csv,noheader,nounits 2>/dev/null
)sh";
  return shell.exec(script, {.max_output = 4096}, std::move(stop)).map([](const ExecResult& r) {
    return read_stillness(r.out);
  });
}

Stillness read_stillness(std::string_view answer) {
  Stillness seen;
  bool first = true;
  for (const std::string& line : split(answer, '\n')) {
    const std::string word(trim(line));
    if (std::exchange(first, false)) {
      seen.files_moved = word != "still";
      continue;
    }
    char* end = nullptr;
    const double busy = std::strtod(word.c_str(), &end);
    if (word.empty() || end == word.c_str() || !(busy >= 0 && busy <= 100)) continue;
    seen.gpu_busy = std::max(seen.gpu_busy.value_or(0), busy);
  }
  return seen;
}

std::optional<TimePoint> idle_since(std::optional<TimePoint> before, bool busy, const Stillness& seen,
                                    TimePoint now) {
  if (busy || seen.files_moved || seen.gpu_busy.value_or(0) >= kResting) return std::nullopt;
  return before ? before : now;
}

std::string idle_words(const Rental& rental, TimePoint now) {
  if (!rental.idle_since || now - *rental.idle_since < kIdleWarns || rental.status != Status::ready)
    return {};
  return "nothing has happened on it for " +
         hours(std::chrono::duration_cast<Hours>(now - *rental.idle_since)) + "; " +
         money(dearest_price(rental)) + " runs away until its lease ends at " + to_iso8601(rental.lease_end);
}

}  // namespace vastgpu
