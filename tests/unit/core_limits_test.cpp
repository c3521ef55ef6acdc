// Which limits hold where settings.json says nothing, and how to raise one.

#include "core/limits.h"

#include "core/account_settings.h"
#include "tests/support/catch.h"

using namespace vastgpu;

namespace {
bool mentions(const std::string& text, const std::string& word) {
  return text.find(word) != std::string::npos;
}
}  // namespace

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
  CHECK(parse_settings(R"({"max_usd_per_rental": 10.00, "max_usd_per_day": 25.11})", "s"));
  AccountLimits own;
  own.per_day = Usd{1};
  own.machines = 2;
  const auto theirs = limits_for(own, "/s/settings.json", std::nullopt, std::nullopt);
  CHECK(how_to_raise(theirs, "max_usd_per_day", 1.2) ==
        "raise max_usd_per_day in /s/settings.json to at least 1.20");
  CHECK(how_to_raise(theirs, "max_machines", 3) == "raise max_machines in /s/settings.json to at least 3");
}
