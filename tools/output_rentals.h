#pragma once
// Parts of output schemas that several tools share: a rental, a receipt, a cost report, layers. Pure.

#include "tools/output_words.h"

namespace vastgpu::output {

Fields rental();  ///< of rental_facts
json receipt();
json cost();
json layers();
json envelope();  ///< what was approved for several rentals
json ports();
json host_key();
json type_this();
json checkpoint_advice();

}  // namespace vastgpu::output
