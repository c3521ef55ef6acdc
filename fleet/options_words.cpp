#include "fleet/options_words.h"

#include <algorithm>
#include <cmath>

#include "core/text.h"

namespace vastgpu {
namespace {

/// A difference of money or time too small to be a reason.
constexpr double kNoMoney = 0.001;
constexpr Hours kNoTime{1.0 / 60};

std::string dearer(Usd difference) {
  if (std::abs(difference.value) < kNoMoney) return "about as dear";
  return money(Usd{std::abs(difference.value)}) + (difference.value > 0 ? " dearer" : " cheaper");
}

/// "$0.40 dearer than the cheapest for 25 min less".
std::string against(const Candidate& c, const Candidate& other, const std::string& name) {
  std::string words =
      dearer(c.estimate.total - other.estimate.total) +
      (std::abs((c.estimate.total - other.estimate.total).value) < kNoMoney ? " as " : " than ") + name;
  if (c.work && other.work) {
    const Hours later = *c.until_done() - *other.until_done();
    if (std::abs(later.count()) < kNoTime.count()) return words + ", done at the same time";
    return words + (later.count() > 0 ? " and done " : " for ") + hours(Hours(std::abs(later.count()))) +
           (later.count() > 0 ? " later" : " less");
  }
  const double speed = relative_speed(c.offer), of_other = relative_speed(other.offer);
  if (!(speed > 0) || !(of_other > 0)) return words;
  return words + ", at " + fixed(speed / of_other, 1) + " times its speed";
}

std::string wrong_for_cheapest(const Candidate& c, const Candidate& fastest) {
  const Usd more = fastest.estimate.total - c.estimate.total;
  if (!c.work || !fastest.work)
    return "wrong when somebody waits for the result: the fastest works at " +
           fixed(relative_speed(fastest.offer) / std::max(0.05, relative_speed(c.offer)), 1) +
           " times its speed for " + money(more) + " more";
  const Hours sooner = *c.until_done() - *fastest.until_done();
  if (sooner <= kNoTime) return "wrong only when this machine is gone: it is the fastest, too";
  return "wrong when somebody waits for the result: the fastest is done " + hours(sooner) + " sooner for " +
         money(more) + " more";
}

}  // namespace

std::vector<std::string> flags_of(const Candidate& c) {
  const Offer& o = c.offer;
  std::vector<std::string> flags;
  if (o.reliability <= 0)
    flags.push_back("reliability unknown");
  else if (o.reliability < 0.97)
    flags.push_back("budget pick: reliability " + fixed(o.reliability * 100, 1) + " %, so about " +
                    fixed(std::max(1.0, (1 - o.reliability) * 100), 0) +
                    " in 100 such rentals are interrupted");
  if (o.gpu_fraction < 0.99) flags.push_back("shared box: other people use its other GPUs");
  if (o.inet_down.value < 200)
    flags.push_back("slow network: " + fixed(o.inet_down.value, 0) + " Mbit/s down, about " + hours(c.start) +
                    " until the work can begin");
  if (o.is_bid) flags.push_back("interruptible: pauses whenever somebody pays more");
  if (!o.verified) flags.push_back("not verified by the marketplace");
  if (o.max_duration && *o.max_duration < c.lease + Hours(24))
    flags.push_back("the host's offer ends " + hours(Hours(*o.max_duration) - c.lease) +
                    " after the lease: it can hardly be extended");
  if (c.work && c.lease < c.start + *c.work)
    flags.push_back("the lease ends before the work would: start and work take about " +
                    hours(*c.until_done()));
  return flags;
}

std::string wrong_when(const std::vector<Option>& options, std::size_t at) {
  if (options.size() < 2) return "it is the only machine that fits, so there is nothing to compare it with";
  const Candidate& cheapest = options.front().chosen;
  const Candidate& fastest = options.back().chosen;
  const Candidate& c = options[at].chosen;
  if (at == 0) return wrong_for_cheapest(c, fastest);
  if (at + 1 == options.size()) {
    const bool true_fastest = options[at].title == "fastest";
    return std::string(true_fastest ? "wrong when nobody waits: " : "wrong while the cheapest is there: ") +
           against(c, cheapest, "the cheapest");
  }
  return "wrong when price alone decides (" + against(c, cheapest, "the cheapest") + ") or time alone (" +
         against(c, fastest, "the fastest") + ")";
}

std::string interruption_cost(const Candidate& c, bool checkpoints, Usd disk_per_day) {
  // With checkpoints the work since the last one is lost, taken as an hour at most; without, all of it.
  const Hours all = c.work.value_or(c.lease);
  const Hours lost = checkpoints ? std::min(all, Hours(1)) : all;
  const UsdPerHour price = c.offer.price;
  return "each interruption costs up to " + money(price * (lost + c.start)) + " and " +
         hours(lost + c.start) +
         (checkpoints ? " (starting again, and at most an hour of work since the last checkpoint)"
                      : " (nothing is saved on the way, so the work begins again)") +
         ", plus the wait, with the disk at " + money(disk_per_day) + " a day";
}

}  // namespace vastgpu
