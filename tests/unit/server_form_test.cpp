#include "server/form.h"

#include "tests/support/catch.h"

using namespace vastgpu;

namespace {

const json kForm = json::parse(R"({"type":"object","properties":{
  "offer":{"type":"string","title":"Machine","default":"o1","oneOf":[{"const":"o1","title":"H100"},{"const":"o2","title":"H200"}]},
  "hours":{"type":"integer","minimum":1,"maximum":10,"default":3},
  "sure":{"type":"boolean","default":false},
  "note":{"type":"string","minLength":2,"maxLength":4,"default":"abc"},
  "rate":{"type":"number","exclusive":true}},"required":["offer"]})");

bool fits(const char* content) { return fitting(kForm, json::parse(content)).has_value(); }

}  // namespace

TEST_CASE("2025-06-18 gets names beside plain choices and no defaults of text and numbers") {
  const auto plain = form_for(kForm, Version::v2025_06_18);
  REQUIRE(plain);
  const json& fields = plain->at("properties");
  CHECK(fields.at("offer") ==
        json::parse(R"({"type":"string","title":"Machine","enum":["o1","o2"],"enumNames":["H100","H200"]})"));
  CHECK(fields.at("hours") == json::parse(R"({"type":"integer","minimum":1,"maximum":10})"));
  CHECK(fields.at("sure").at("default") == false);
  CHECK_FALSE(fields.at("note").contains("default"));
  CHECK(plain->at("required") == kForm.at("required"));
  CHECK(form_for(kForm, Version::v2025_11_25) == kForm);
  CHECK(form_for(kForm, Version::v2026_07_28) == kForm);
  CHECK_FALSE(form_for(kForm, Version::v2025_03_26));
  json several = kForm;
  several["properties"]["many"] = {{"type", "array"}, {"items", {{"type", "string"}, {"enum", {"a"}}}}};
  CHECK_FALSE(form_for(several, Version::v2025_06_18));
}

TEST_CASE("only what fits the form comes through") {
  CHECK(fits(R"({"offer":"o2"})"));
  CHECK(fits(R"({"offer":"o2","hours":3.0,"sure":true,"note":"abcd","rate":0.5})"));
  CHECK(fits(R"({"offer":"o2","hours":null})"));
  CHECK(fits(R"({"offer":"o1","note":"äöüß"})"));
  CHECK_FALSE(fits(R"({})"));
  CHECK_FALSE(fits(R"([])"));
  CHECK_FALSE(fits(R"({"offer":"o3"})"));
  CHECK_FALSE(fits(R"({"offer":"H100"})"));
  CHECK_FALSE(fits(R"({"offer":null})"));
  CHECK_FALSE(fits(R"({"offer":["o1"]})"));
  CHECK_FALSE(fits(R"({"offer":"o1","hours":3.5})"));
  CHECK_FALSE(fits(R"({"offer":"o1","hours":11})"));
  CHECK_FALSE(fits(R"({"offer":"o1","hours":"3"})"));
  CHECK_FALSE(fits(R"({"offer":"o1","sure":"true"})"));
  CHECK_FALSE(fits(R"({"offer":"o1","note":"a"})"));
  CHECK_FALSE(fits(R"({"offer":"o1","note":"abcde"})"));
  CHECK(fitting(kForm, {{"offer", "o1"}, {"evil", 1}}) == json{{"offer", "o1"}});

  const json many = json::parse(R"({"properties":{"many":{"type":"array","minItems":1,"maxItems":2,
    "items":{"anyOf":[{"const":"a","title":"A"},{"const":"b","title":"B"}]}}}})");
  CHECK(fitting(many, {{"many", {"a", "b"}}}));
  CHECK_FALSE(fitting(many, {{"many", json::array()}}));
  CHECK_FALSE(fitting(many, {{"many", {"a", "b", "a"}}}));
  CHECK_FALSE(fitting(many, {{"many", {"c"}}}));
}
