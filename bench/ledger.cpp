// How long one write to the ledger takes on this disk, beside a bare write and sync of one page:
// `bench/ledger [FOLDER]`. The folder decides which disk is measured; default the working directory.

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>

#include "core/fd.h"
#include "core/text.h"
#include "state/sqlite_ledger.h"

using namespace vastgpu;

namespace {

constexpr int kTurns = 500, kRentals = 50;

double median_us(const std::function<bool(int)>& work, double& worst) {
  std::vector<double> times;
  for (int i = 0; i < kTurns; ++i) {
    const auto began = std::chrono::steady_clock::now();
    if (!work(i)) return -1;
    times.push_back(
        std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - began).count());
  }
  std::ranges::sort(times);
  worst = times[times.size() * 99 / 100];
  return times[times.size() / 2];
}

Rental rental(int i) {
  Rental r;
  r.label = text("vg-bench-", i);
  r.project = "/p";
  r.price = {0.3};
  r.worst_case = {0.001};
  r.created = SystemClock().now();
  r.lease_end = r.created + std::chrono::hours(4);
  return r;
}

}  // namespace

int main(int argc, char** argv) {
  const auto folder =
      std::filesystem::absolute(argc > 1 ? argv[1] : ".") / ("vast-gpu-bench-" + random_hex(4));
  std::filesystem::create_directories(folder);
  auto opened = SqliteLedger::open(folder / "ledger.sqlite");
  if (!opened) return std::fprintf(stderr, "%s\n", opened.error().what.c_str()), 1;
  SqliteLedger& ledger = **opened;
  for (int i = 0; i < kRentals; ++i) (void)ledger.open_intent(rental(-1 - i), {});
  const IntentLimits limits{.project_budget = Usd{1000}};
  const Fd page(::open((folder / "page").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  const std::string content(4096, 'x');

  struct Row {
    const char* name;
    std::function<bool(int)> work;
  };
  const Row rows[] = {
      {"a bare page, written and synced",
       [&](int) {
         return ::pwrite(page.get(), content.data(), content.size(), 0) == 4096 && ::fsync(page.get()) == 0;
       }},
      {"open_intent, every limit checked",
       [&](int i) { return ledger.open_intent(rental(i), limits).has_value(); }},
      {"change_rental",
       [&](int i) {
         return ledger
             .change_rental(text("vg-bench-", i),
                            [](Rental& r) -> Result<void> {
                              r.note = "x";
                              return {};
                            })
             .has_value();
       }},
      {"add_event",
       [&](int i) {
         return ledger.add_event({SystemClock().now(), "bench", text("vg-bench-", i)}).has_value();
       }},
      {"note_layer",
       [&](int i) {
         return ledger.note_layer({text("vg-bench-", i), "guard", SystemClock().now(), "ok"}).has_value();
       }},
  };
  bool met = true;
  double bare = 0;
  std::printf("%-36s %10s %10s %8s\n", "one write", "median us", "99 % us", "x bare");
  for (const Row& row : rows) {
    double worst = 0;
    const double median = median_us(row.work, worst);
    if (median < 0) return std::fprintf(stderr, "%s failed\n", row.name), 1;
    if (bare == 0) bare = median;
    std::printf("%-36s %10.0f %10.0f %8.1f\n", row.name, median, worst, median / bare);
    met &= median <= 5000;
  }
  std::filesystem::remove_all(folder);
  std::printf("bar: 5000 us median: %s\n", met ? "met" : "MISSED");
  return met ? 0 : 1;
}
