#include "server/progress.h"

#include "tests/support/catch.h"

using namespace vastgpu;
using namespace std::chrono_literals;

namespace {

/// One call's progress and what it sent, at a time that the test sets.
struct Watched {
  explicit Watched(bool with_text = true, json token = "t")
      : progress(
            std::move(token), with_text, "rent is running",
            [this](const std::string& m) { sent.push_back(json::parse(m).at("params")); }, now) {}
  SteadyTime now{};
  std::vector<json> sent;
  CallProgress progress;
};

}  // namespace

TEST_CASE("progress goes out at most twice a second, and the newest wins") {
  Watched w;
  for (int i = 1; i <= 1000; ++i, w.now += 1ms) {
    w.progress.report(i, "step " + std::to_string(i), w.now);
    w.progress.tick(w.now);
  }
  REQUIRE(w.sent.size() == 2);
  CHECK(w.sent[0] == json{{"progressToken", "t"}, {"progress", 1.0}, {"message", "step 1"}});
  CHECK(w.sent[1] == json{{"progressToken", "t"}, {"progress", 501.0}, {"message", "step 501"}});
  w.now += 1s;
  w.progress.tick(w.now);
  REQUIRE(w.sent.size() == 3);
  CHECK(w.sent[2].at("message") == "step 1000");  // not lost, although the tool fell silent
}

TEST_CASE("a silent tool is heard of every ten seconds, with the time gone by") {
  Watched w(true, 7);
  for (int i = 0; i < 350; ++i, w.now += 100ms) w.progress.tick(w.now);
  REQUIRE(w.sent.size() == 3);
  CHECK(w.sent[0].at("progressToken") == 7);
  CHECK(w.sent[0].at("message") == "rent is running (10 s)");
  CHECK(w.sent[2].at("message") == "rent is running (30 s)");
}

TEST_CASE("the number always grows, whatever the tool says") {
  Watched w;
  for (const double said : {0.0, 5.0, 5.0, 1.0, -3.0, std::nan(""), 6.0}) {
    w.progress.report(said, "x", w.now);
    w.now += 1s;
  }
  REQUIRE(w.sent.size() == 7);
  for (std::size_t i = 1; i < w.sent.size(); ++i)
    CHECK(w.sent[i].at("progress").get<double>() > w.sent[i - 1].at("progress").get<double>());
  CHECK(w.sent.back().at("progress") == 6.0);
}

TEST_CASE("after closing nothing is sent, and old clients get no message") {
  Watched w(false);
  w.progress.report(1, "text", w.now);
  REQUIRE(w.sent.size() == 1);
  CHECK_FALSE(w.sent[0].contains("message"));
  w.progress.close();
  w.progress.report(2, "text", w.now + 1s);
  w.progress.tick(w.now + 1h);
  CHECK(w.sent.size() == 1);
}
