#pragma once
// The layers that end a rental by themselves: the guard on the machine, the keeper and the server at home.
// Each leaves in the ledger when it last reported; here that is read back, judged and shown. Any thread.

#include "fleet/deps.h"
#include "fleet/jobs.h"

namespace vastgpu {

inline constexpr const char* kGuardLayer = "guard";
inline constexpr const char* kKeeperLayer = "keeper";
inline constexpr const char* kServerLayer = "server";
// Not layers that end anything, but kept in the same place: when a machine was last looked into, and when its
// results were last brought home while it ran.
inline constexpr const char* kLookMark = "look";
inline constexpr const char* kCollectMark = "collect";
/// An event of the account, once per change: detail.low.
inline constexpr const char* kCreditEvent = "credit";

/// A guard writes every 30 s, a keeper comes by every minute or two.
inline constexpr auto kGuardSilent = std::chrono::minutes(2);
inline constexpr auto kKeeperSilent = std::chrono::minutes(5);

struct LayerView {
  std::string layer;
  std::optional<TimePoint> at;  ///< of its last report; absent when there never was one
  std::string detail;
  std::string alarm;  ///< why it is taken for dead; empty when it lives, or nobody could tell
  std::string fix;    ///< what to do about the alarm
};

/// Of one rental. Pure: `of_rental` and `of_account` are what the ledger holds.
std::vector<LayerView> layer_views(const Rental& rental, const std::vector<LayerReport>& of_rental,
                                   const std::vector<LayerReport>& of_account, bool keeper_wanted,
                                   TimePoint now);

/// The same, read from the ledger.
/// @error as Ledger
Result<std::vector<LayerView>> layers_of(const Deps& d, const Rental& rental);

json to_facts(const std::vector<LayerView>& views, TimePoint now);
/// "guard 12 s ago, keeper 40 s ago, server 5 s ago".
std::string to_words(const std::vector<LayerView>& views, TimePoint now);
/// "ALARM: no keeper has reported for 12 min: run vast-gpu keep &, or vast-gpu install keeper"; one a layer.
std::vector<std::string> alarms_of(const std::vector<LayerView>& views);

/// Notes what a look into the machine showed of its guard, and that it was looked into.
/// @error as Ledger
Result<void> note_look(const Deps& d, const Rental& rental, const MachineLook& look);

/// Notes that a look was tried and the machine could not be reached: its guard is judged by no such look.
Result<void> note_not_reached(const Deps& d, const Rental& rental);

/// When that layer or mark of a rental last reported.
std::optional<TimePoint> last_report(const std::vector<LayerReport>& reports, std::string_view layer);

/// What else everybody who lists or watches this rental should know: idle, dearer, not renewed, unreachable.
/// @error as Ledger
Result<std::vector<std::string>> warnings_of(const Deps& d, const Rental& rental);

}  // namespace vastgpu
