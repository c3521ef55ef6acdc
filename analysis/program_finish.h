#pragma once
// What follows from several witnesses together. One thread at a time.

#include "analysis/program_reading.h"

namespace vastgpu {

/// Bits of the weights from quantization, loading and precision; LoRA on quantized weights is QLoRA; the
/// task; models in the order of their witnesses. `asks_card`: the program tests for bf16 itself.
void finish_reading(ProgramReading& r, bool asks_card);

}  // namespace vastgpu
