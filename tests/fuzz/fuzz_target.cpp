// libFuzzer's entry: an input is a whole conversation. Counts lines, and ends after VAST_GPU_FUZZ_LINES of
// them.

#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "core/log.h"
#include "tests/fuzz/conversation.h"
#include "tests/fuzz/lines.h"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);
extern "C" int __lsan_do_recoverable_leak_check();

namespace {

using namespace vastgpu;

constexpr std::size_t kLeaksEvery = 5000;  // inputs; such a look takes tens of milliseconds

void count(std::size_t lines) {
  static const std::size_t wanted = [] {
    const char* set = std::getenv("VAST_GPU_FUZZ_LINES");
    return set == nullptr ? 0 : std::strtoul(set, nullptr, 10);
  }();
  static std::size_t seen = 0, inputs = 0;
  seen += lines;
  if (++inputs % kLeaksEvery == 0 && __lsan_do_recoverable_leak_check() != 0) std::abort();
  if (wanted == 0 || seen < wanted) return;
  const int leaks = __lsan_do_recoverable_leak_check();
  std::fprintf(stderr, "\n%zu lines in %zu conversations: no trouble%s\n", seen, inputs,
               leaks != 0 ? " but leaks" : "");
  ::_exit(leaks != 0 ? 1 : 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const ServerParts parts = [] {
    set_log_level(LogLevel::quiet);
    return quick_parts();
  }();
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  if (const std::string trouble = trouble_with(input, parts); !trouble.empty()) {
    std::fprintf(stderr, "TROUBLE: %s\n", trouble.c_str());
    std::abort();
  }
  count(static_cast<std::size_t>(std::ranges::count(input, '\n')) + 1);
  return 0;
}

/// Bytes alone would seldom make a message: half of the time a whole line is put in, taken out or doubled.
extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned seed) {
  Dice dice(seed);
  if (dice() % 2 == 0) return LLVMFuzzerMutate(data, size, max_size);
  std::string input(reinterpret_cast<const char*>(data), size);
  const auto line_start = [&] {
    const std::size_t end = input.rfind('\n', dice() % (input.size() + 1));
    return end == std::string::npos ? 0 : end + 1;
  };
  const std::size_t at = line_start();
  const std::size_t end = std::min(input.find('\n', at), input.size() - 1) + 1;
  switch (dice() % 4) {
    case 0:
      if (!input.empty()) input.erase(at, end - at);
      break;
    case 1:
      if (!input.empty()) input.insert(line_start(), std::string(input, at, end - at));
      break;
    default:
      input.insert(at, generated_line(dice) + "\n");
  }
  const std::size_t kept = std::min(input.size(), max_size);
  std::memcpy(data, input.data(), kept);
  return kept;
}
