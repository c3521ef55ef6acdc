#pragma once
// How often an experiment on an interruptible machine should save: often enough that an interruption loses
// little, seldom enough that saving costs little. Young's and Daly's formulas; where each number comes from
// is said with it.

#include <optional>
#include <string>
#include <vector>

#include "core/json.h"
#include "fleet/deps.h"

namespace vastgpu {

/// sqrt(2 C M): first order. `cost`: of one save; `between`: mean time between interruptions.
/// @source J. W. Young, "A first order approximation to the optimum checkpoint interval", CACM 17(9), 1974
Hours young_interval(Hours cost, Hours between);

/// sqrt(2 C M) (1 + sqrt(C / 2M) / 3 + C / 18M) - C for C < 2M, else M.
/// @source J. T. Daly, "A higher order estimate of the optimum checkpoint interval for restart dumps",
///         Future Generation Computer Systems 22(3), 2006, equation 37
Hours daly_interval(Hours cost, Hours between);

/// A number with where it is from.
struct Sourced {
  Hours value{};
  std::string from;
};

/// Mean running time between interruptions of interruptible machines: of this GPU model where at least three
/// were seen, else of the account, else an assumption that is named as one.
Result<Sourced> time_between_outbids(const Deps& d, const std::string& gpu_name);

/// The same from what is known already. Pure. `ran`: how long interruptible rentals ran.
struct BidHistory {
  Hours ran{};
  int outbids = 0;
};
Sourced time_between_outbids(const std::string& gpu_name, const BidHistory& of_model,
                             const BidHistory& of_account);

/// What writing one checkpoint takes: its size over the speed of a rented disk. The size is that of the
/// largest checkpoint of the last receipt; else from the model's parameters; else an assumption.
Sourced checkpoint_cost(const std::optional<json>& receipt, std::optional<double> params_b);

struct CheckpointAdvice {
  Hours every{};  ///< Daly's, in whole minutes, at least one
  Hours young{};
  Sourced between, cost;
};
CheckpointAdvice checkpoint_advice(const Sourced& between, const Sourced& cost);
/// For a rental that runs: from its history, its last receipt and its quote.
Result<CheckpointAdvice> checkpoint_advice(const Deps& d, const Rental& rental);

/// "save a checkpoint every 14 min (...)".
std::string to_words(const CheckpointAdvice& a);
json to_facts(const CheckpointAdvice& a);

}  // namespace vastgpu
