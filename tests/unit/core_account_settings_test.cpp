// settings.json: what it may say, what is refused and how.

#include "core/account_settings.h"
#include "tests/support/catch.h"
#include "tests/support/temp_folder.h"

using namespace vastgpu;

namespace {
bool mentions(const std::string& text, const std::string& word) {
  return text.find(word) != std::string::npos;
}
}  // namespace

TEST_CASE("a settings file sets the limits it names and no others") {
  const auto all = parse_settings(
      R"({"max_usd_per_rental": 4, "max_usd_per_day": 12.5, "max_usd_open": 0, "max_machines": 3})", "s");
  REQUIRE(all);
  CHECK((all->limits.per_rental == Usd{4} && all->limits.per_day == Usd{12.5} && all->limits.open == Usd{0} &&
         all->limits.machines == 3));
  const auto one = parse_settings(R"({"max_usd_per_day": 1000000})", "s");
  REQUIRE(one);
  CHECK((one->limits.per_day == Usd{1e6} && !one->limits.per_rental && !one->limits.open &&
         !one->limits.machines));
  REQUIRE(parse_settings("{}", "s"));
  CHECK_FALSE(parse_settings(R"({"max_machines": 2})", "s")->limits.sets_dollars());
}

TEST_CASE("a limit that was meant but cannot be understood is refused with its name and what was expected") {
  const std::string value =
      GENERATE("-1", "-0.01", "1e7", "1000000.01", "\"5\"", "null", "true", "[5]", "{\"usd\": 5}");
  const std::string key = GENERATE("max_usd_per_rental", "max_usd_per_day", "max_usd_open");
  CAPTURE(key, value);
  const auto refused = parse_settings("{\"" + key + "\": " + value + "}", "/s/settings.json");
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
  const auto refused = parse_settings("{\"max_machines\": " + value + "}", "s");
  REQUIRE_FALSE(refused);
  CHECK(mentions(refused.error().what, "max_machines is "));
  CHECK(mentions(refused.error().what, "an integer from 0 to 1000"));
}

TEST_CASE("an unknown key is no limit that somebody believes in") {
  const auto slip = parse_settings(R"({"max_usd_per_dya": 5})", "s");
  REQUIRE_FALSE(slip);
  CHECK(mentions(slip.error().what, "'max_usd_per_dya'"));
  CHECK(mentions(slip.error().what, "max_machines"));
  CHECK(slip.error().next_step == "did you mean max_usd_per_day?");
  const auto other = parse_settings(R"({"colour": "\u001b[31mred"})", "s");
  REQUIRE_FALSE(other);
  CHECK(other.error().next_step == "remove it");
}

TEST_CASE("what is not an object of JSON is refused, whatever it is") {
  const std::string content =
      GENERATE("", "{", "5", "[]", "null", "{\"max_usd_per_day\": NaN}", "{\"max_usd_per_day\": 1e999}",
               "{\"max_usd_per_day\": 5,}", "\xff\xfe", "max_usd_per_day = 5");
  CAPTURE(content);
  const auto refused = parse_settings(content, "settings.json");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::invalid_argument);
  CHECK(mentions(refused.error().what, "settings.json"));
  CHECK_FALSE(refused.error().next_step.empty());
  CHECK_FALSE(parse_settings(std::string(50'000, '['), "s"));
}

TEST_CASE("no file is no limits, but a file that cannot be read is an error") {
  const TempFolder folder;
  const auto none = read_settings(folder.path() / "settings.json");
  REQUIRE(none);
  CHECK_FALSE(none->limits.sets_dollars());
  folder.write("settings.json", R"({"max_usd_open": 7})");
  CHECK(read_settings(folder.path() / "settings.json")->limits.open == Usd{7});
  CHECK_FALSE(read_settings(folder.path()));  // a folder
  folder.write("huge.json", "{}" + std::string(70'000, ' '));
  const auto huge = read_settings(folder.path() / "huge.json");
  REQUIRE_FALSE(huge);
  CHECK(mentions(huge.error().what, "nothing was spent"));
}

TEST_CASE("what the file may say beside limits, and what holds without it") {
  const auto none = parse_settings("{}", "s");
  REQUIRE(none);
  CHECK(
      (none->at_lease_end == LeaseEnd::stop && !none->allow_unguarded && none->keeper && none->auto_extend));
  const auto all = parse_settings(
      R"({"at_lease_end": "destroy", "allow_unguarded": true, "keeper": false, "auto_extend": false})", "s");
  REQUIRE(all);
  CHECK(
      (all->at_lease_end == LeaseEnd::destroy && all->allow_unguarded && !all->keeper && !all->auto_extend));
  const auto word = parse_settings(R"({"at_lease_end": "sleep"})", "s");
  REQUIRE_FALSE(word);
  CHECK(mentions(word.error().what, "expected \"stop\" or \"destroy\""));
  const auto number = parse_settings(R"({"keeper": 1})", "s");
  REQUIRE_FALSE(number);
  CHECK(mentions(number.error().what, "keeper is 1; expected true or false"));
}
