#include "fleet/outbid_decision.h"

#include <algorithm>
#include <cmath>

#include "core/text.h"

namespace vastgpu {
namespace {

constexpr double kOverFloor = 1.02;   // the next bid of somebody else must not throw us out again at once
constexpr double kOverOwnBid = 1.10;  // where the listed floor is below a bid that lost all the same
constexpr double kMoveGain = 0.8;    // a move loses the work since the last checkpoint: it has to be worth it
constexpr Hours kLeastUseful{0.25};  // restart, setup check, and some work
constexpr Hours kFloorLags{5.0 / 60};
constexpr Hours kPatience{20.0 / 60};  // where nothing is known of earlier pauses
constexpr Hours kShortPause{0.25}, kLongestWait{2};

double up_to_cents_of_cents(double value) { return std::ceil(value * 1e4 - 1e-6) / 1e4; }

struct Raise {
  UsdPerHour bid, price;
  Usd worst;
  bool fits = false;
  bool within_shown = false;
  std::string against;  ///< why not
};

Raise judge_raise(const OutbidSituation& s) {
  Raise r;
  if (!s.floor) {
    r.against = "the machine is not offered for bids now";
    return r;
  }
  if (*s.floor <= s.bid && s.paused < kFloorLags) {
    r.against = "the floor of " + money(*s.floor) + " is not above our bid, so it should come back by itself";
    return r;
  }
  r.bid = {up_to_cents_of_cents(*s.floor > s.bid ? s.floor->value * kOverFloor : s.bid.value * kOverOwnBid)};
  r.price = r.bid + s.storage;
  if (s.on_demand && r.price >= *s.on_demand) {
    r.against = "a bid of " + money(r.bid) + " with the disk is not below " + money(*s.on_demand) +
                ", the price at which nobody can outbid it";
    return r;
  }
  r.worst = s.paid + r.price * (s.lease_left + s.grace);
  r.within_shown = r.worst <= s.worst_case;
  r.fits = r.within_shown || (s.envelope_room && r.worst <= *s.envelope_room);
  if (!r.fits)
    r.against = "with a bid of " + money(r.bid) + " it could cost up to " + money(r.worst) + ", and " +
                (s.envelope_room ? "its envelope leaves it " + money(*s.envelope_room)
                                 : money(s.worst_case) + " were approved");
  return r;
}

}  // namespace

const char* to_string(OutbidAction a) {
  switch (a) {
    case OutbidAction::raise:
      return "raise";
    case OutbidAction::wait:
      return "wait";
    case OutbidAction::move:
      return "move";
    case OutbidAction::give_up:
      return "give_up";
  }
  return "wait";
}

OutbidDecision decide_outbid(const OutbidSituation& s) {
  OutbidDecision d;
  d.worst_case = s.worst_case;
  const auto choose = [&](OutbidAction action, std::string why) {
    d.action = action;
    d.why = std::move(why);
    return d;
  };
  if (s.lease_left < kLeastUseful && !(s.elsewhere && s.results_home))
    return choose(OutbidAction::give_up, "only " + hours(std::max(s.lease_left, Hours(0))) +
                                             " of its lease are left, too little to go on");

  const Raise raise = judge_raise(s);
  const Hours need = std::min(s.lease_left, s.work_left.value_or(s.lease_left));
  const bool can_move = s.elsewhere && s.results_home;
  if (s.usual_pause && *s.usual_pause <= kShortPause && s.paused < *s.usual_pause &&
      *s.usual_pause <= s.lease_left / 4)
    return choose(OutbidAction::wait, "pauses of this account last about " + hours(*s.usual_pause) +
                                          ", and waiting costs the disk only");
  if (raise.fits && s.lease_left >= kLeastUseful) {
    const Usd here = raise.price * need;
    const Usd there = can_move ? s.elsewhere->price * (need + s.elsewhere->setup) : here;
    if (can_move && there < here * kMoveGain)
      return choose(OutbidAction::move, "the rest costs about " + money(there) +
                                            " on another machine, setup included, and " + money(here) +
                                            " here with a bid of " + money(raise.bid));
    d.bid = raise.bid;
    d.price = raise.price;
    d.worst_case = std::max(raise.worst, s.worst_case);
    return choose(
        OutbidAction::raise,
        "a bid of " + money(raise.bid) + " for the rest of the lease " +
            (raise.within_shown ? "stays within the " + money(s.worst_case) + " that were approved"
                                : "makes it " + money(raise.worst) + " at most, within its envelope"));
  }
  const Hours patience =
      s.usual_pause ? std::clamp(*s.usual_pause * 2.0, Hours(1.0 / 6), kLongestWait) : kPatience;
  if (s.paused < patience && s.lease_left >= kLeastUseful)
    return choose(OutbidAction::wait,
                  raise.against + "; waiting costs the disk only, and ends after " + hours(patience));
  if (can_move)
    return choose(OutbidAction::move, raise.against + "; waited " + hours(s.paused) +
                                          ", and another machine fits the envelope at " +
                                          money(s.elsewhere->price));
  return choose(OutbidAction::give_up,
                raise.against + "; waited " + hours(s.paused) + ", and " +
                    (!s.envelope_room ? "no envelope allows another machine"
                     : !s.elsewhere   ? "no other machine fits what its envelope has left"
                                      : "its results are not at home, so a move would lose them"));
}

}  // namespace vastgpu
