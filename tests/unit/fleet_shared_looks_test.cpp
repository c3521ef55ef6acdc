// Many workers, few requests, and nobody gets an answer older than his question.
#include <atomic>
#include <latch>
#include <thread>

#include "fleet/shared_looks.h"
#include "tests/support/catch.h"
#include "tests/support/shelf_market.h"

using namespace vastgpu;

namespace {

/// Counts lists, and answers each only when it is let go.
class SlowLists : public ShelfMarket {
 public:
  Result<InstanceList> instances(std::stop_token) override {
    const int mine = ++lists;
    while (let_go < mine) std::this_thread::yield();
    InstanceList list;
    list.push_back({});
    list.back().id = {mine};
    return list;
  }
  std::atomic<int> lists = 0, let_go = 0;
};

}  // namespace

TEST_CASE("those who ask while a list is under way share the next one") {
  SlowLists market;
  SharedLooks looks(market, {});
  std::jthread first([&] { CHECK((*looks.instances({}))[0].id.value == 1); });
  while (market.lists < 1) std::this_thread::yield();
  std::atomic<int> entered = 0, second = 0;
  {
    std::vector<std::jthread> others;
    for (int n = 0; n < 30; ++n)
      others.emplace_back([&] {
        ++entered;
        if ((*looks.instances({}))[0].id.value >= 2) ++second;  // never the one that left before
      });
    while (entered < 30) std::this_thread::yield();
    market.let_go = 100;
  }
  CHECK(second == 30);
  CHECK(market.lists < 10);
}

TEST_CASE("whoever is stopped while another one asks goes at once") {
  SlowLists market;
  SharedLooks looks(market, {});
  std::jthread first([&] { (void)looks.instances({}); });
  while (market.lists < 1) std::this_thread::yield();
  std::stop_source stop;
  stop.request_stop();
  const auto stopped = looks.instances(stop.get_token());
  REQUIRE_FALSE(stopped);
  CHECK(stopped.error().code == Code::cancelled);
  market.let_go = 100;
}
