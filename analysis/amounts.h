#pragma once
// Numbers with a unit, as people write them in plans and sentences, English and Chinese: "~6-10 GPUh", "2,016
// GPU-hours", "30 minutes", "3 小时", "40 GB", "4 GPUs". Pure; any thread.

#include <string>
#include <string_view>
#include <vector>

namespace vastgpu {

enum class Unit {
  none,         ///< a bare number
  gpu_hours,    ///< GPU-h, A100-40G-h, GPU-days (x 24)
  hours,        ///< h, minutes, days: of whatever kind the reader takes them to be
  other_hours,  ///< of CPUs, people, robots
  gib,          ///< GB, GiB, MB, TB: memory as cards are sold, or disk
  gpus,         ///< 4 GPUs, 2 张卡
  dollars,
};

struct Amount {
  double low = 0;  ///< of a range; equal to `high` otherwise. Hours, GiB or a count
  double high = 0;
  Unit unit = Unit::none;
  bool limit = false;   ///< written with > or >=: a rule about more, not an estimate
  bool upper = false;   ///< written with < or <=
  bool absurd = false;  ///< negative, not finite or above ten million: never use it, say so
  std::size_t at = 0;   ///< where it stands in the text
  std::size_t end = 0;  ///< behind its unit
};

/// Lower case, with wide and typographic punctuation replaced by plain: × -> x, – -> -, ：-> :, ≈ and 约 ->
/// ~.
std::string plain(std::string_view text);

/// The first 200 amounts in a text that went through `plain`, in order. Digits inside names ("resnet-50") are
/// none.
std::vector<Amount> find_amounts(std::string_view plain_text);

/// True when `plain_text` holds one of these words. ASCII words must stand alone.
bool has_word(std::string_view plain_text, std::initializer_list<std::string_view> words);

}  // namespace vastgpu
