#include "remote/upload_lanes.h"

#include <algorithm>
#include <system_error>
#include <thread>

#include "core/text.h"
#include "remote/persist.h"
#include "remote/upload_lane.h"

namespace vastgpu {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kMostLanes = 8;
constexpr std::uint64_t kWorthALane = 8 * 1024 * 1024;  // less is over before its session is open
constexpr std::chrono::milliseconds kSettle{1000};      // connecting and TCP's slow start at 80 ms
constexpr std::chrono::milliseconds kMeasure{1500};
constexpr double kWorthIt = 1.15;  // rates of one link differ by less from second to second

/// Decides when more lanes are worth trying: twice as many, as long as the last doubling made it faster. A
/// link with 1 % loss gains with each of eight; a clean one nothing.
class Growth {
 public:
  /// How many lanes there should be.
  std::size_t look(std::size_t lanes, std::uint64_t arrived, std::uint64_t missing) {
    const auto now = Clock::now();
    if (ended_ || now - since_ < kSettle) return lanes;
    if (!from_) {
      from_ = arrived;
      measured_since_ = now;
    }
    const auto span = now - measured_since_;
    if (span < kMeasure) return lanes;
    const double rate = static_cast<double>(arrived - *from_) / std::chrono::duration<double>(span).count();
    const bool faster = rate > before_ * kWorthIt;
    const bool long_enough = static_cast<double>(missing) > 4 * rate;  // seconds
    ended_ = !faster || lanes >= kMostLanes || !long_enough;
    if (ended_) return lanes;
    before_ = rate;
    from_.reset();
    since_ = now;
    return std::min(2 * lanes, kMostLanes);
  }

 private:
  bool ended_ = false;
  double before_ = 0;
  Clock::time_point since_ = Clock::now(), measured_since_;
  std::optional<std::uint64_t> from_;
};

/// The threads of all lanes; joined before what they share goes.
class Crew {
 public:
  explicit Crew(UploadLanes& all) : all_(all) {}
  void add(SshSession* first) {
    all_.lane_starts();
    try {
      threads_.emplace_back([&all = all_, first] {
        UploadLane(all).run(first);
        all.lane_ended();
      });
    } catch (const std::system_error&) {  // no more threads to be had: the others do it
      all_.lane_ended();
    }
  }
  std::size_t size() const { return threads_.size(); }

 private:
  UploadLanes& all_;
  std::vector<std::jthread> threads_;
};

}  // namespace

Result<void> send_large(SshLink& link, const std::string& folder, const LocalTree& tree, UploadPlan& plan,
                        const std::set<std::string>& obsolete, Packing packing,
                        const std::function<bool()>& enough, UploadMeter& meter, const std::stop_token& stop,
                        SyncReport& report) {
  UploadLanes all(link, tree, plan, meter, packing,
                  [&](const std::string& lane) { return lane_script(lane, folder, obsolete, packing); });
  const std::stop_callback on_stop(stop, [&] { all.stop.request_stop(); });
  Patience patience(kLinkIdleLimit, stop);
  auto at_hand = link.session(patience);
  if (!at_hand && at_hand.error().code != Code::unavailable) return fail(std::move(at_hand).error());
  ++report.round_trips;
  {
    Crew crew(all);
    crew.add(at_hand ? *at_hand : nullptr);
    if (plan.missing() > 2 * kWorthALane) crew.add(nullptr);
    Growth growth;
    while (!all.wait_for_end(std::chrono::milliseconds(100))) {
      meter.tell();
      if (enough && enough()) plan.hand_out_no_more();
      const std::size_t wanted = growth.look(crew.size(), all.arrived, plan.missing());
      for (std::size_t n = crew.size(); n < wanted && !plan.done(); ++n) crew.add(nullptr);
    }
    report.lanes = std::max(report.lanes, crew.size());
  }
  report.reconnects += all.reconnects;
  report.sent_again += all.sent_again;
  if (auto why = all.failure()) return fail(std::move(*why).during("sending large files"));
  if (stop.stop_requested())
    return fail({.code = Code::cancelled, .what = "stopped on request", .next_step = "call again to go on"});
  if (!plan.done())
    return fail({.code = Code::unavailable,
                 .what = "the link broke and did not come back",
                 .next_step = "call again: it goes on where it stopped",
                 .effect = Effect::unknown});
  for (std::size_t i = 0; i < plan.files().size(); ++i) {
    const LocalFile& f = *plan.files()[i].file;
    if (plan.is_left(i)) {
      report.complete = false;
      continue;
    }
    if (!plan.is_dropped(i)) {
      ++report.sent_files;
      report.sent_bytes += f.size;
      continue;
    }
    --report.files;
    report.stayed.missed = true;
    if (report.stayed.named.size() < 50)
      report.stayed.named.push_back(clean_line(f.path) + ": changed or went away while it was read");
  }
  return {};
}

}  // namespace vastgpu
