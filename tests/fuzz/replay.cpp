// Plays the kept corpus and so many generated lines: fuzz_replay CORPUS [LINES [SEED]]. Ends with 1 on the
// first trouble.

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "core/log.h"
#include "tests/fuzz/conversation.h"
#include "tests/fuzz/lines.h"

namespace {

using namespace vastgpu;

constexpr std::size_t kLinesAtOnce = 20;

int complain(const std::string& where, const std::string& trouble) {
  std::fprintf(stderr, "%s: %s\n", where.c_str(), trouble.c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  set_log_level(LogLevel::quiet);
  // Whatever the server prints past its descriptor lands here, and must be nothing.
  const int printed = ::memfd_create("stdout", MFD_CLOEXEC);
  ::dup2(printed, STDOUT_FILENO);

  const ServerParts parts = quick_parts();
  int files = 0;
  if (argc > 1)
    for (const auto& entry : std::filesystem::directory_iterator(argv[1])) {
      std::ifstream in(entry.path(), std::ios::binary);
      const std::string input{std::istreambuf_iterator<char>(in), {}};
      ++files;
      if (const std::string trouble = trouble_with(input, parts); !trouble.empty())
        return complain(entry.path().string(), trouble);
    }
  const std::size_t wanted = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 0;
  const unsigned seed = argc > 3 ? static_cast<unsigned>(std::strtoul(argv[3], nullptr, 10)) : 1;
  Dice dice(seed);
  for (std::size_t lines = 0; lines < wanted; lines += kLinesAtOnce) {
    const std::string input = generated_input(dice, kLinesAtOnce);
    if (const std::string trouble = trouble_with(input, parts); !trouble.empty()) {
      std::ofstream("fuzz-trouble", std::ios::binary) << input;
      return complain("generated line " + std::to_string(lines) + " of seed " + std::to_string(seed) +
                          " (kept in ./fuzz-trouble)",
                      trouble);
    }
  }
  if (::lseek(printed, 0, SEEK_END) != 0) return complain("stdout", "something was printed there");
  std::fprintf(stderr, "%d corpus files and %zu generated lines: no trouble\n", files, wanted);
  return 0;
}
