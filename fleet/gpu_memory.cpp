#include "fleet/gpu_memory.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "core/text.h"

namespace vastgpu {
namespace {

constexpr int kMostGpus = 64;
constexpr std::int64_t kMostMib = 4 << 20;  // 4 TiB: more than any card
constexpr Megabytes kTaken{64};             // a CUDA context alone takes more

bool is_index_list(std::string_view s) {
  return !s.empty() && s.size() <= 200 && s.find_first_not_of("0123456789,") == std::string_view::npos &&
         s.front() != ',' && s.back() != ',' && s.find(",,") == std::string_view::npos;
}

/// Four whole numbers that can be true together.
std::optional<GpuMemory> read_note(std::string_view line) {
  std::int64_t numbers[4] = {};
  std::size_t n = 0;
  for (const std::string& word : split(line, ' ')) {
    if (n == 4) return std::nullopt;
    const auto [end, bad] = std::from_chars(word.data(), word.data() + word.size(), numbers[n]);
    if (bad != std::errc{} || end != word.data() + word.size() || numbers[n] < 0 || numbers[n] > kMostMib)
      return std::nullopt;
    ++n;
  }
  const auto [gpu, held, peak, total] = numbers;
  if (n != 4 || gpu > 1023 || held > peak || peak > total) return std::nullopt;
  const auto mib = [](std::int64_t v) { return Megabytes{static_cast<double>(v)}; };
  return GpuMemory{static_cast<int>(gpu), mib(held), mib(peak), mib(total)};
}

}  // namespace

std::string gpus_of_job(const std::string& argument, const std::string& command) {
  if (!argument.empty()) return is_index_list(argument) ? argument : "";
  constexpr std::string_view kName = "CUDA_VISIBLE_DEVICES=";
  const auto at = command.find(kName);
  if (at == std::string::npos || (at > 0 && command[at - 1] != ' ')) return {};
  const auto from = at + kName.size();
  const auto list = command.substr(from, command.find_first_of(" ;&|", from) - from);
  return is_index_list(list) ? list : "";
}

std::string watch_memory_script(const std::string& gpus) {
  // Real seconds: a peak of the first second must not be missed, and later looks must cost nothing. It
  // belongs to the job's session, so that stopping the job stops it too. nvidia-smi may hang with its driver.
  // What others held is the least that was ever seen: a job that ended a moment ago may still be giving its
  // memory back.
  return "only=" + (is_index_list(gpus) || gpus == kVisibleDevices ? gpus : "") + R"sh(
(
  unset command
  look() {
    while IFS=', ' read -r g m t more; do
      case $g in ''|*[!0-9]*|?????*) continue;; esac
      case $m in ''|*[!0-9]*|????????*) continue;; esac
      case $t in ''|*[!0-9]*|????????*) continue;; esac
      g=$((10#$g)); total[g]=$t
      [ -n "${held[g]}" ] || { held[g]=$m; peak[g]=$m; }
      [ "$m" -gt "${peak[g]}" ] && peak[g]=$m
      [ "$m" -lt "${held[g]}" ] && held[g]=$m
    done < <(timeout -k 2 10 nvidia-smi ${only:+-i $only} --query-gpu=index,memory.used,memory.total --format=csv,noheader,nounits)
    for g in "${!held[@]}"; do echo "$g ${held[g]} ${peak[g]} ${total[g]}"; done >$f/vram.new && mv $f/vram.new $f/vram
  }
  command -v nvidia-smi || { : >$f/vram; exit; }
  for pause in 0.2 0.3 0.5 1 2 3; do look; /bin/sleep $pause; kill -0 $$ || exit; done
  while kill -0 $$; do look; /bin/sleep 5; done
) </dev/null >/dev/null 2>&1 &
watch=$!
i=0; while [ ! -e $f/vram ] && [ $i -lt 50 ] && kill -0 $watch 2>/dev/null; do i=$((i+1)); /bin/sleep 0.1; done
unset only i
)sh";
}

MemorySeen read_memory_notes(std::string_view notes) {
  MemorySeen seen;
  const auto ignore = [&](const std::string& why) {
    return MemorySeen{{}, "the peak of GPU memory noted on the machine was ignored: " + why};
  };
  if (notes.size() >= kMostMemoryNotes) return ignore("it is longer than any real one");
  std::set<int> known;
  std::string all(notes);
  std::ranges::replace(all, ';', '\n');
  for (const std::string& line : split(all, '\n')) {
    if (trim(line).empty()) continue;
    const auto note = read_note(trim(line));
    if (!note) return ignore("'" + clean_line(line, 40) + "' is no amount of memory");
    if (!known.insert(note->gpu).second || known.size() > kMostGpus)
      return ignore("it names a GPU twice, or too many");
    seen.gpus.push_back(*note);
  }
  return seen;
}

const GpuMemory* fullest(const MemorySeen& seen) {
  const auto most = std::ranges::max_element(seen.gpus, {}, &GpuMemory::own);
  return most == seen.gpus.end() || most->own() < kTaken ? nullptr : &*most;
}

int gpus_used(const MemorySeen& seen) {
  return static_cast<int>(
      std::ranges::count_if(seen.gpus, [](const GpuMemory& g) { return g.own() >= kTaken; }));
}

}  // namespace vastgpu
