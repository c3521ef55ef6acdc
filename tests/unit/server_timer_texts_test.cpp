#include "server/timer_texts.h"

#include "tests/support/catch.h"

using namespace vastgpu;

namespace {
TimerJob job() { return {"/opt/vast gpu/vast-gpu", {{"VAST_GPU_STATE", "/data/100% mine/$x"}}}; }
}  // namespace

TEST_CASE("a unit's words are read by systemd as they are meant") {
  const std::string service = service_text(job());
  CHECK(service.find("ExecStart=\"/opt/vast gpu/vast-gpu\" -q reap\n") != std::string::npos);
  CHECK(service.find("Environment=\"VAST_GPU_STATE=/data/100%% mine/$x\"\n") != std::string::npos);
  CHECK(service.find("SuccessExitStatus=1 2\n") != std::string::npos);
  CHECK(service_text({"/a\"b\\c$d", {}}).find("ExecStart=\"/a\\\"b\\\\c$$d\" -q reap\n") !=
        std::string::npos);
  CHECK(timer_text().find("OnUnitActiveSec=5min\n") != std::string::npos);
}

TEST_CASE("a crontab line survives blanks, quotes and percent signs") {
  CHECK(
      cron_line(job()) ==
      "*/5 * * * * VAST_GPU_STATE='/data/100'\\%' mine/$x' '/opt/vast gpu/vast-gpu' -q reap >/dev/null 2>&1 "
      "# vast-gpu keeper\n");
}

TEST_CASE("only our own line of a crontab is touched, and twice is once") {
  const std::string line = cron_line({"/bin/vast-gpu", {}});
  const std::string others = "# mine\nMAILTO=me\n0 4 * * * backup # not vast-gpu keeper at all\n\n";
  const std::string with = with_cron_line(others, line);
  CHECK(with == others + line);
  CHECK(with_cron_line(with, line) == with);
  CHECK(has_cron_line(with));
  CHECK_FALSE(has_cron_line(others));
  CHECK(without_cron_line(with) == others);

  const std::string older = "*/9 * * * * /old/vast-gpu -q reap # vast-gpu keeper\n";
  CHECK(with_cron_line("a\n" + older + "b\n" + older, line) == "a\n" + line + "b\n");
  CHECK(with_cron_line("0 1 * * * no end", line) == "0 1 * * * no end\n" + line);
  CHECK(with_cron_line("", line) == line);
}

TEST_CASE("a line break in a path could add a line of its own, so it is refused") {
  CHECK(check(job()));
  CHECK_FALSE(check({"/bin/vast-gpu", {{"VAST_GPU_STATE", "/a\n* * * * * evil"}}}));
  CHECK_FALSE(check({"/bin/\x7f", {}}));
}
