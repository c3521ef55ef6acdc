#pragma once
// Lines that a client might send, whole and broken, from one source of dice. Pure but for the dice; any
// thread.

#include <random>
#include <string>

namespace vastgpu {

using Dice = std::mt19937;

/// One message of a real conversation, some of its values replaced, dropped or doubled, sometimes its bytes
/// damaged too. Holds no line end.
std::string generated_line(Dice& dice);

/// Several of them, each ended as lines are.
std::string generated_input(Dice& dice, std::size_t lines);

}  // namespace vastgpu
