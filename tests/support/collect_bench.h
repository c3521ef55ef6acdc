#pragma once
// A machine with results, a home, and collections between them.

#include <algorithm>
#include <cstring>
#include <fstream>
#include <random>
#include <set>

#include "core/files.h"
#include "core/text.h"
#include "tests/support/remote_bench.h"

namespace vastgpu {

struct CollectBench : RemoteBench {
  using RemoteBench::RemoteBench;
  CollectSource source(std::vector<std::string> patterns = {}) const {
    return {.remote_folder = (machine.path() / "results").string(),
            .patterns = std::move(patterns),
            .recursive = true,
            .local_folder = local.path() / "results"};
  }
  Result<Receipt> collect(Shell& shell, const CollectOptions& options = {}) const {
    return shell.collect({source()}, options, {}, {});
  }
  /// As bring_home does: with what the last receipt said.
  Result<Receipt> collect_after(Shell& shell, const Receipt& last, const CollectOptions& options = {}) const {
    CollectSource s = source();
    s.known = known_files(json(last), s.remote_folder);
    return shell.collect({s}, options, {}, {});
  }
  std::optional<std::string> at_home(const std::string& path) const {
    auto content = read_file(local.path() / "results" / path, 100'000'000);
    return content ? std::optional(*content) : std::nullopt;
  }
  std::set<std::string> home_files() const {
    std::set<std::string> found;
    for (const auto& e : std::filesystem::recursive_directory_iterator(local.path()))
      if (!e.is_directory()) found.insert(std::filesystem::relative(e.path(), local.path()).string());
    return found;
  }
  /// No entry of it lies: the file at home has that size and hash.
  void check_truth(const Receipt& r) const {
    for (const ReceiptFile& f : r.files) {
      CAPTURE(f.path);
      const auto there = local.path() / "results" / f.path;
      const auto hash = sha256_file(there);
      REQUIRE(hash);
      CHECK(*hash == f.sha256);
      CHECK(std::filesystem::file_size(there) == f.size);
    }
  }
  TempFolder local;
};

inline bool has_mention(const Receipt& r, const std::string& of) {
  return std::any_of(r.problems.begin(), r.problems.end(),
                     [&](const std::string& s) { return s.find(of) != std::string::npos; });
}

/// Bytes that do not compress.
inline std::string noise(std::size_t size, unsigned seed) {
  std::mt19937_64 random(seed);
  std::string out(size + 8, ' ');
  for (std::size_t i = 0; i < size; i += 8) {
    const std::uint64_t word = random();
    std::memcpy(out.data() + i, &word, 8);
  }
  out.resize(size);
  return out;
}

}  // namespace vastgpu
