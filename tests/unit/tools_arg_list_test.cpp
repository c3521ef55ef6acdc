#include "tools/arg_list.h"

#include "tests/support/catch.h"

using namespace vastgpu;

namespace {

struct Everything {
  std::string text = "kept";
  bool flag = true;
  int small = 7;
  std::int64_t big = 0;
  double ratio = 0.5;
  std::optional<double> maybe;
  std::optional<int> maybe_int;
  std::vector<std::string> names;
  json extra;
  InstanceId instance;
  std::optional<OfferId> offer;
  UsdPerHour price;
  std::optional<Gigabytes> disk;
  Hours hours{3};
};

ArgList<Everything> everything() {
  return ArgList<Everything>{}
      .required("instance_id", &Everything::instance, "Id of the machine")
      .optional("text", &Everything::text, "Text", {.max_length = 5})
      .optional("colour", &Everything::text, "A word", {.choices = {"red", "blue"}})
      .optional("flag", &Everything::flag, "Flag")
      .optional("small", &Everything::small, "Small", {.minimum = 1, .maximum = 9})
      .optional("big", &Everything::big, "Big")
      .optional("ratio", &Everything::ratio, "Ratio", {.minimum = 0.1, .maximum = 0.9})
      .optional("maybe", &Everything::maybe, "Maybe")
      .optional("maybe_int", &Everything::maybe_int, "Maybe")
      .optional("names", &Everything::names, "Names")
      .optional("extra", &Everything::extra, "Extra")
      .optional("offer_id", &Everything::offer, "Offer")
      .optional("max_usd_per_hour", &Everything::price, "Price", {.minimum = 0})
      .optional("disk_gb", &Everything::disk, "Disk")
      .optional("hours", &Everything::hours, "Hours");
}

Result<Everything> with(const std::string& name, const json& value) {
  json arguments = {{"instance_id", 1}};
  arguments[name] = value;
  return everything().decode(arguments);
}

void walk(const json& schema, const std::function<void(const json&)>& look) {
  look(schema);
  if (schema.is_structured())
    for (const json& part : schema) walk(part, look);
}

}  // namespace

TEST_CASE("the schema says what the decoder does") {
  const json schema = everything().schema();
  CHECK(schema.at("type") == "object");
  CHECK(schema.at("additionalProperties") == false);
  CHECK(schema.at("required") == json::array({"instance_id"}));
  const json& p = schema.at("properties");
  CHECK(p.at("instance_id") == json{{"type", "integer"}, {"description", "Id of the machine"}});
  CHECK(p.at("small") == json{{"type", "integer"}, {"minimum", 1}, {"maximum", 9}, {"description", "Small"}});
  CHECK(p.at("ratio") ==
        json{{"type", "number"}, {"minimum", 0.1}, {"maximum", 0.9}, {"description", "Ratio"}});
  CHECK(p.at("colour") == json{{"type", "string"}, {"enum", {"red", "blue"}}, {"description", "A word"}});
  CHECK(p.at("text").at("maxLength") == 5);
  CHECK(p.at("names").at("items").at("type") == "string");
  CHECK(p.at("extra").at("type") == "object");
  CHECK(p.at("flag").at("type") == "boolean");
  CHECK(p.at("hours").at("type") == "number");
  CHECK(p.at("offer_id").at("type") == "integer");
}

TEST_CASE("no schema holds what some model API refuses") {
  for (const json& schema : {everything().schema(), envelope_schema()})
    walk(schema, [](const json& part) {
      CHECK_FALSE(part.is_null());
      for (const char* word : {"oneOf", "anyOf", "allOf", "if", "$ref", "$schema", "default"})
        if (part.is_object()) CHECK_FALSE(part.contains(word));
    });
  CHECK(ArgList<Everything>{}.schema() ==
        json{{"type", "object"}, {"properties", json::object()}, {"additionalProperties", false}});
}

TEST_CASE("absent and null leave the initial value, for what is optional") {
  const auto got = everything().decode({{"instance_id", 5}, {"text", nullptr}, {"flag", nullptr}});
  REQUIRE(got);
  CHECK(got->instance == InstanceId{5});
  CHECK(got->text == "kept");
  CHECK(got->flag);
  CHECK(got->hours == Hours(3));
  CHECK_FALSE(got->maybe);
  for (const json& none : {json::object(), json{{"instance_id", nullptr}}, json()}) {
    const auto missing = everything().decode(none);
    REQUIRE_FALSE(missing);
    CHECK(missing.error().code == Code::invalid_argument);
    CHECK(missing.error().what == "argument instance_id is missing");
    CHECK(missing.error().next_step.find("Id of the machine") != std::string::npos);
  }
}

TEST_CASE("every type takes its own values") {
  CHECK(with("instance_id", "123")->instance == InstanceId{123});
  CHECK(with("instance_id", 123.0)->instance == InstanceId{123});
  CHECK(with("offer_id", "-4")->offer == OfferId{-4});
  CHECK(with("small", 3.0)->small == 3);
  CHECK(with("big", INT64_MAX)->big == INT64_MAX);
  CHECK(with("big", INT64_MIN)->big == INT64_MIN);
  CHECK(with("ratio", 0.1)->ratio == 0.1);
  CHECK(with("maybe", 2)->maybe == 2.0);
  CHECK(with("maybe_int", 2)->maybe_int == 2);
  CHECK(with("names", json::array({"a", ""}))->names == std::vector<std::string>{"a", ""});
  CHECK(with("extra", {{"a", 1}})->extra == json{{"a", 1}});
  CHECK(with("max_usd_per_hour", 1)->price == UsdPerHour{1});
  CHECK(with("disk_gb", 1.5)->disk == Gigabytes{1.5});
  CHECK(with("hours", 0.25)->hours == Hours(0.25));
  CHECK(with("text", "12345")->text == "12345");
  CHECK(with("colour", "red")->text == "red");
  CHECK_FALSE(with("flag", false)->flag);
}

TEST_CASE("every other value is refused, by the argument's name") {
  const std::vector<std::pair<std::string, json>> wrong = {{"instance_id", "12x"},
                                                           {"instance_id", ""},
                                                           {"instance_id", 1.5},
                                                           {"instance_id", true},
                                                           {"instance_id", " 1"},
                                                           {"instance_id", "1e3"},
                                                           {"small", "3"},
                                                           {"small", 0},
                                                           {"small", 10},
                                                           {"small", 3.5},
                                                           {"small", 1e300},
                                                           {"big", UINT64_MAX},
                                                           {"big", 1e18},
                                                           {"ratio", 0.0999},
                                                           {"ratio", 0.91},
                                                           {"ratio", "0.5"},
                                                           {"ratio", json()},
                                                           {"maybe", "2"},
                                                           {"maybe_int", 3'000'000'000},
                                                           {"names", "a"},
                                                           {"names", {1}},
                                                           {"extra", "{}"},
                                                           {"extra", json::array()},
                                                           {"max_usd_per_hour", -0.01},
                                                           {"text", "123456"},
                                                           {"text", 5},
                                                           {"colour", "green"},
                                                           {"colour", ""},
                                                           {"flag", "true"},
                                                           {"flag", 1},
                                                           {"names", json::array({std::string("a\0b", 3)})},
                                                           {"disk_gb", {{"a", 1}}}};
  for (const auto& [name, value] : wrong) {
    if (value.is_null()) continue;
    CAPTURE(name, value.dump());
    const auto got = with(name, value);
    REQUIRE_FALSE(got);
    CHECK(got.error().code == Code::invalid_argument);
    CHECK(got.error().what.find("argument " + name) == 0);
    CHECK_FALSE(got.error().next_step.empty());
  }
  CHECK(with("small", 10).error().what ==
        "argument small: expected a whole number from 1 to 9, got the number 10");
  CHECK(with("colour", "green").error().what ==
        "argument colour: expected one of red, blue, got the text \"green\"");
  CHECK(with("text", std::string(1'000'000, 'x')).error().what.size() < 200);
}

TEST_CASE("an unknown argument is refused with the nearest known one") {
  CHECK(with("instance", 1).error().next_step.find("did you mean instance_id?") == 0);
  CHECK(with("Hour", 1).error().next_step.find("did you mean hours?") == 0);
  CHECK(with("max_usd_per_hr", 1).error().next_step.find("did you mean max_usd_per_hour?") == 0);
  const auto far = with("zebra_crossing_lights", 1);
  CHECK(far.error().next_step.find("known arguments: instance_id, text") == 0);
  CHECK(with("offer_idd", nullptr).error().what == "unknown argument offer_idd");
  CHECK_FALSE(everything().decode(json::array({1})));
  CHECK_FALSE(ArgList<Everything>{}.decode({{"x", 1}}));
}

TEST_CASE("a json argument can have a schema of its own") {
  struct Args {
    json list;
  };
  const json own = {{"type", "array"}, {"items", {{"type", "object"}}}};
  const auto args = ArgList<Args>{}.optional("list", &Args::list, "Some", {.schema = own});
  CHECK(args.schema().at("properties").at("list").at("items") == own.at("items"));
  CHECK(args.schema().at("properties").at("list").at("description") == "Some");
  CHECK(args.decode({{"list", json::array({1})}}));
  CHECK_FALSE(args.decode({{"list", json::object()}}));
}
