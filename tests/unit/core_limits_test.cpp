// settings.json: what it may say, what is refused and how, and which limits hold where it says nothing.

#include "core/limits.h"
#include "tests/support/catch.h"
#include "tests/support/temp_folder.h"

using namespace vastgpu;

namespace {
bool mentions(const std::string& text, const std::string& word) {
  return text.find(word) != std::string::npos;
}
}  // namespace

TEST_CASE("a settings file sets the limits it names and no others") {
  const auto all = parse_limits(
      R"({"max_usd_per_rental": 4, "max_usd_per_day": 12.5, "max_usd_open": 0, "max_machines": 3})", "s");
  REQUIRE(all);
  CHECK(
      (all->per_rental == Usd{4} && all->per_day == Usd{12.5} && all->open == Usd{0} && all->machines == 3));
  const auto one = parse_limits(R"({"max_usd_per_day": 1000000})", "s");
  REQUIRE(one);
  CHECK((one->per_day == Usd{1e6} && !one->per_rental && !one->open && !one->machines));
  REQUIRE(parse_limits("{}", "s"));
  CHECK_FALSE(parse_limits(R"({"max_machines": 2})", "s")->sets_dollars());
}

TEST_CASE("a limit that was meant but cannot be understood is refused with its name and what was expected") {
  const std::string value =
      GENERATE("-1", "-0.01", "1e7", "1000000.01", "\"5\"", "null", "true", "[5]", "{\"usd\": 5}");
  const std::string key = GENERATE("max_usd_per_rental", "max_usd_per_day", "max_usd_open");
  CAPTURE(key, value);
  const auto refused = parse_limits("{\"" + key + "\": " + value + "}", "/s/settings.json");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::invalid_argument);
  CHECK(mentions(refused.error().what, "nothing was spent"));
  CHECK(mentions(refused.error().what, "/s/settings.json: " + key + " is "));
  CHECK(mentions(refused.error().what, "expected a number of US dollars from 0 to 1000000"));
}

TEST_CASE("a number of machines is a small whole number") {
  const std::string value =
      GENERATE("-1", "2.5", "1001", "99999999999999999999", "\"2\"", "18446744073709551615");
  CAPTURE(value);
  const auto refused = parse_limits("{\"max_machines\": " + value + "}", "s");
  REQUIRE_FALSE(refused);
  CHECK(mentions(refused.error().what, "max_machines is "));
  CHECK(mentions(refused.error().what, "an integer from 0 to 1000"));
}

TEST_CASE("an unknown key is no limit that somebody believes in") {
  const auto slip = parse_limits(R"({"max_usd_per_dya": 5})", "s");
  REQUIRE_FALSE(slip);
  CHECK(mentions(slip.error().what, "'max_usd_per_dya'"));
  CHECK(mentions(slip.error().what, "max_machines"));
  CHECK(slip.error().next_step == "did you mean max_usd_per_day?");
  const auto other = parse_limits(R"({"colour": "\u001b[31mred"})", "s");
  REQUIRE_FALSE(other);
  CHECK(other.error().next_step == "remove it");
}

TEST_CASE("what is not an object of JSON is refused, whatever it is") {
  const std::string content =
      GENERATE("", "{", "5", "[]", "null", "{\"max_usd_per_day\": NaN}", "{\"max_usd_per_day\": 1e999}",
               "{\"max_usd_per_day\": 5,}", "\xff\xfe", "max_usd_per_day = 5");
  CAPTURE(content);
  const auto refused = parse_limits(content, "settings.json");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::invalid_argument);
  CHECK(mentions(refused.error().what, "settings.json"));
  CHECK_FALSE(refused.error().next_step.empty());
  CHECK_FALSE(parse_limits(std::string(50'000, '['), "s"));
}

TEST_CASE("no file is no limits, but a file that cannot be read is an error") {
  const TempFolder folder;
  const auto none = read_limits(folder.path() / "settings.json");
  REQUIRE(none);
  CHECK_FALSE(none->sets_dollars());
  folder.write("settings.json", R"({"max_usd_open": 7})");
  CHECK(read_limits(folder.path() / "settings.json")->open == Usd{7});
  CHECK_FALSE(read_limits(folder.path()));  // a folder
  folder.write("huge.json", "{}" + std::string(70'000, ' '));
  const auto huge = read_limits(folder.path() / "huge.json");
  REQUIRE_FALSE(huge);
  CHECK(mentions(huge.error().what, "nothing was spent"));
}

TEST_CASE("where nobody set a limit, modest ones hold; whoever sets one decides alone") {
  const auto defaults = limits_for({}, "/s/settings.json", std::nullopt, std::nullopt);
  CHECK(defaults.by_default);
  CHECK((defaults.account.per_rental == Usd{10} && defaults.account.per_day == Usd{25}));
  CHECK_FALSE((defaults.account.open || defaults.account.machines));

  AccountLimits only_machines;
  only_machines.machines = 2;  // no word about money
  const auto counted = limits_for(only_machines, "/s", std::nullopt, std::nullopt);
  CHECK((counted.by_default && counted.account.per_day == Usd{25} && counted.account.machines == 2));

  AccountLimits own;
  own.open = Usd{500};
  const auto theirs = limits_for(own, "/s", Usd{3}, Usd{2});
  CHECK((!theirs.by_default && !theirs.account.per_day && !theirs.account.per_rental));
  CHECK((theirs.account.open == Usd{500} && theirs.project_budget == Usd{3}));
}

TEST_CASE("a project's budget or a call's limit says what a rental may cost; the day is still limited") {
  const auto small = limits_for({}, "/s", Usd{5}, std::nullopt);
  CHECK((!small.account.per_rental && small.account.per_day == Usd{25}));
  const auto large = limits_for({}, "/s", Usd{80}, std::nullopt);
  CHECK((!large.account.per_rental && large.account.per_day == Usd{80}));
  const auto called = limits_for({}, "/s", std::nullopt, Usd{15});
  CHECK((!called.account.per_rental && called.account.per_day == Usd{25}));
}

TEST_CASE("how to raise a limit: the file, the key, enough cents, and the other default kept") {
  const auto defaults = limits_for({}, "/s/settings.json", std::nullopt, std::nullopt);
  CHECK(how_to_raise(defaults, "max_usd_per_day", 25.101) ==
        "set max_usd_per_day to at least 25.11 in /s/settings.json, as in "
        "{\"max_usd_per_rental\": 10.00, \"max_usd_per_day\": 25.11}");
  CHECK(mentions(how_to_raise(defaults, "max_usd_per_rental", 40),
                 "{\"max_usd_per_rental\": 40.00, \"max_usd_per_day\": 40.00}"));
  CHECK(parse_limits(R"({"max_usd_per_rental": 10.00, "max_usd_per_day": 25.11})", "s"));
  AccountLimits own;
  own.per_day = Usd{1};
  own.machines = 2;
  const auto theirs = limits_for(own, "/s/settings.json", std::nullopt, std::nullopt);
  CHECK(how_to_raise(theirs, "max_usd_per_day", 1.2) ==
        "raise max_usd_per_day in /s/settings.json to at least 1.20");
  CHECK(how_to_raise(theirs, "max_machines", 3) == "raise max_machines in /s/settings.json to at least 3");
}
