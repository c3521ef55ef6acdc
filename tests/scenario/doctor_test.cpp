// What doctor says when one thing is wrong, and that the other checks do not suffer from it.

#include "server/doctor.h"

#include <sys/stat.h>

#include "core/files.h"
#include "core/text.h"
#include "server/client_command.h"
#include "tests/support/catch.h"
#include "tests/support/rental_stage.h"

using namespace vastgpu;
using Mark = CheckResult::Mark;

namespace {

Checkup examined(House& house, const std::stop_token& stop = {}) {
  Checkup f;
  check_home(house, f);
  check_clients(house, "/usr/bin/vast-gpu", f);
  check_network(house, stop, f);
  check_account(house, stop, f);
  check_rentals(house, stop, f);
  return f;
}

/// The worst finding of a check.
const CheckResult* of(const Checkup& f, const std::string& check) {
  const CheckResult* worst = nullptr;
  for (const CheckResult& one : f.all())
    if (one.check == check && (worst == nullptr || one.mark > worst->mark)) worst = &one;
  return worst;
}

bool is(const Checkup& f, const std::string& check, Mark mark) {
  const CheckResult* found = of(f, check);
  INFO(check << "\n" << to_text(f));
  CHECK((found != nullptr && found->mark == mark));
  if (found != nullptr && mark == Mark::bad) CHECK_FALSE(found->fix.empty());
  return found != nullptr && found->mark == mark;
}

std::unique_ptr<House> house_like(House& other, const std::function<void(HouseSettings&)>& change) {
  HouseSettings settings = other.settings();
  change(settings);
  auto house = House::make(settings);
  REQUIRE(house);
  return *std::move(house);
}

}  // namespace

SCENARIO("doctor: a healthy place, and one thing wrong at a time") {
  RentalStage stage(VASTGPU_BINARY, {.machines = false});
  GIVEN("a home where all is well") {
    auto house =
        house_like(stage.house(), [&](HouseSettings& s) { s.home = stage.folder().path() / "home"; });
    WHEN("doctor looks") {
      const Checkup f = examined(*house);
      THEN("every check is good, and no secret is in what it says") {
        CHECK(f.all_well());
        for (const char* check : {"state", "disk", "limits", "key", "ssh-key", "project", "network", "clock",
                                  "account", "rights", "ledger", "keeper"})
          is(f, check, Mark::ok);
        is(f, "clients", Mark::note);
        CHECK(to_text(f).find("sandbox-key") == std::string::npos);
        CHECK(to_json(f).dump().find("sandbox-key") == std::string::npos);
        CHECK(to_json(f)["all_well"] == true);
      }
    }
    WHEN("a client's file is broken, and another starts a program that is gone") {
      stage.folder().write("home/.cursor/mcp.json", "{\"mcpServers\": ");
      stage.folder().write(
          "home/.gemini/settings.json",
          "{\"mcpServers\": {\"vast-gpu\": {\"command\": \"/gone/vast-gpu\", \"args\": [\"serve\"]}}}");
      THEN("both are named with the command that mends them") {
        const std::string said = to_text(examined(*house));
        CHECK(said.find("BAD   cursor: ") != std::string::npos);
        CHECK(said.find("line 1, column 16") != std::string::npos);
        CHECK(said.find("BAD   gemini starts /gone/vast-gpu") != std::string::npos);
        CHECK(said.find("fix: vast-gpu install gemini\n") != std::string::npos);
      }
    }
  }
  GIVEN("a state folder that is not the default one, and a client that names the program alone") {
    const auto bin = stage.folder().path() / "bin";
    std::filesystem::create_directories(bin);
    std::filesystem::create_symlink(VASTGPU_BINARY, bin / "vast-gpu");
    auto house = house_like(stage.house(), [&](HouseSettings& s) {
      s.variable = [bin](const char* name) {
        return std::string_view(name) == "PATH" ? std::optional("/nowhere:" + bin.string()) : std::nullopt;
      };
    });
    const auto entry_with = [&](const json& env) {
      const json entry{{"command", "vast-gpu"}, {"args", {"serve"}}, {"env", env}};
      stage.folder().write("home/.cursor/mcp.json", json{{"mcpServers", {{"vast-gpu", entry}}}}.dump());
      Checkup f;
      check_clients(*house, std::filesystem::canonical(VASTGPU_BINARY), f);
      return to_text(f);
    };
    const auto settings = settings_to_hand_on(*house);
    CHECK(settings ==
          std::map<std::string, std::string>{{"VAST_GPU_STATE", house->settings().state_folder.string()}});
    THEN("its program is looked for in PATH") {
      CHECK(entry_with(settings).starts_with("ok    cursor knows"));
    }
    THEN("an entry with other settings is named") {
      const std::string said = entry_with({{"VAST_URL", "http://127.0.0.1:9"}});
      CHECK(said.find("cursor starts it with another VAST_GPU_STATE, VAST_URL than here") !=
            std::string::npos);
    }
  }
  GIVEN("a clock that is off by ten minutes") {
    auto house = house_like(stage.house(), [](HouseSettings& s) {
      const auto at = s.clock.find('@');
      const double speed = std::stod(s.clock.substr(0, at)), origin = std::stod(s.clock.substr(at + 1));
      s.clock = s.clock.substr(0, at + 1) + fixed(origin - 600 / speed, 6);
    });
    THEN("only the clock is wrong") {
      const Checkup f = examined(*house);
      is(f, "clock", Mark::bad);
      is(f, "account", Mark::ok);
    }
  }
  GIVEN("a marketplace that nobody reaches") {
    auto house = house_like(stage.house(), [](HouseSettings& s) { s.api_url = "http://127.0.0.1:9"; });
    THEN("what needs no network is still checked") {
      const Checkup f = examined(*house);
      is(f, "network", Mark::bad);
      is(f, "account", Mark::bad);
      is(f, "state", Mark::ok);
      is(f, "key", Mark::ok);
      CHECK(of(f, "clock") == nullptr);  // unknown is not wrong
    }
  }
  GIVEN("a key file that others may read, with a key that the marketplace does not know") {
    auto house = house_like(stage.house(), [&](HouseSettings& s) {
      s.home = stage.folder().path() / "home";
      const auto file = stage.folder().write("home/.config/vastai/vast_api_key", "wrong-key\n");
      REQUIRE(::chmod(file.c_str(), 0644) == 0);
      s.variable = [](const char*) { return std::optional<std::string>(); };
    });
    THEN("both are said, the key itself is not") {
      const Checkup f = examined(*house);
      is(f, "key", Mark::bad);
      CHECK(of(f, "key")->fix.starts_with("chmod 600 "));
      is(f, "account", Mark::bad);
      is(f, "network", Mark::ok);
      CHECK(to_text(f).find("wrong-key") == std::string::npos);
    }
  }
}

SCENARIO("doctor: no time is left for the marketplace") {
  RentalStage stage(VASTGPU_BINARY, {.machines = false});
  std::stop_source over;
  over.request_stop();
  const Checkup f = examined(stage.house(), over.get_token());
  is(f, "network", Mark::bad);
  is(f, "account", Mark::bad);
  is(f, "state", Mark::ok);
  is(f, "keeper", Mark::note);  // nobody could ask whether anything is rented
  CHECK(to_text(f).find("account: the marketplace did not answer in time\n      fix: vast-gpu doctor") !=
        std::string::npos);
}

SCENARIO("doctor: an account without credit") {
  RentalStage stage(VASTGPU_BINARY, {.credit = 0, .machines = false});
  const Checkup f = examined(stage.house());
  is(f, "account", Mark::ok);
  is(f, "credit", Mark::bad);
  CHECK_FALSE(f.all_well());
}
