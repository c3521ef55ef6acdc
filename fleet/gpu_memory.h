#pragma once
// How much GPU memory a job takes, watched on the machine by the job's own wrapper while it runs, and read
// back here. What the machine says is not believed where it makes no sense. Pure.

#include <string>
#include <string_view>
#include <vector>

#include "core/units.h"

namespace vastgpu {

/// The part of a job's bash script that starts the watch: expects $f, the job's folder, and leaves the
/// process id in $watch. Writes $f/vram: one line "GPU held-before peak total" per GPU, in MiB. It ends with
/// the script, waits for the first look at most 5 s, and without a working nvidia-smi notes nothing. `gpus`:
/// indices as in "0,1"; anything else watches all.
std::string watch_memory_script(const std::string& gpus);

/// As `gpus`: those that the script's own CUDA_VISIBLE_DEVICES names.
inline constexpr const char* kVisibleDevices = "$CUDA_VISIBLE_DEVICES";

/// The GPUs a job is told to use: of its own argument, else of CUDA_VISIBLE_DEVICES= at the start of its
/// command; empty when neither is a list of indices.
std::string gpus_of_job(const std::string& argument, const std::string& command);

struct GpuMemory {
  int gpu = 0;
  Megabytes held_before;  ///< by others: the least that was seen since just before the job
  Megabytes peak;         ///< all that was held at once while it ran
  Megabytes total;
  Megabytes own() const { return peak - held_before; }
};

struct MemorySeen {
  std::vector<GpuMemory> gpus;
  std::string odd;  ///< why what the machine noted was ignored; empty when all is well
};

constexpr std::size_t kMostMemoryNotes = 4000;  ///< bytes of $f/vram that are read

/// The notes with ";" or a new line after each GPU.
MemorySeen read_memory_notes(std::string_view notes);

/// The GPU on which the job itself took most; null when it was not seen to take any.
const GpuMemory* fullest(const MemorySeen& seen);
/// On how many GPUs it was seen to take any.
int gpus_used(const MemorySeen& seen);

}  // namespace vastgpu
