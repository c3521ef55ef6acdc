// The table of settings, and what it makes of values that programs and people write.

#include "analysis/setting.h"

#include <limits>
#include <map>

#include "analysis/analyse.h"
#include "core/spelling.h"
#include "core/text.h"
#include "tests/support/catch.h"
#include "tests/support/temp_folder.h"

using namespace vastgpu;

namespace {

/// The value as the table takes it; null when it is refused.
json taken(const char* setting, const json& value) {
  const Setting* s = find_setting(setting);
  REQUIRE(s != nullptr);
  const auto v = canonical_value(*s, value);
  return v ? *v : json(nullptr);
}

TaskProfile with_facts(json facts) {
  const TempFolder empty;
  TaskRequest request;
  request.facts = std::move(facts);
  return analyse(empty.path(), request);
}

bool warned(const TaskProfile& p, const std::string& of) {
  return join(p.warnings, "\n").find(of) != std::string::npos;
}

}  // namespace

TEST_CASE("no name and no alias means two settings") {
  std::map<std::string, std::string> owner;
  for (const Setting& s : all_settings()) {
    std::vector<std::string_view> names(s.aliases);
    names.push_back(s.name);
    for (const std::string_view name : names) {
      const auto [known, fresh] = owner.emplace(name, s.name);
      INFO(name << " is of " << known->second << " and of " << s.name);
      CHECK(fresh);
      CHECK(find_setting(name) == &s);  // found as it is written in the table
    }
  }
  CHECK(owner.size() > 200);
}

TEST_CASE("every setting says what it is, and every spelling of a choice leads to a plain one") {
  for (const Setting& s : all_settings()) {
    CAPTURE(s.name);
    CHECK(s.help.size() >= 8);
    const bool counts = s.kind == SettingKind::integer || s.kind == SettingKind::number;
    if (counts) CHECK(s.least < s.most);
    CHECK((s.kind == SettingKind::choice) == !s.choices.empty());
    std::vector<std::string> seen;
    for (const std::string_view choice : s.choices) {
      CAPTURE(choice);
      const std::string spelling(choice.substr(0, choice.find('=')));
      const bool twice = std::ranges::find(seen, spelling) != seen.end();
      CHECK_FALSE(twice);
      seen.push_back(spelling);
      const auto v = canonical_value(s, spelling);
      REQUIRE(v);
      CHECK(std::ranges::find(s.choices, std::string_view(v->get_ref<const std::string&>())) !=
            s.choices.end());
      CHECK(taken(s.name.data(), *v) == *v);  // what is canonical stays so
      const bool written_plainly = spelling == to_lower(spelling) && spelling.find('-') == std::string::npos;
      CHECK(written_plainly);
    }
  }
}

TEST_CASE("the schema of facts describes every setting, with its range") {
  const json schema = facts_schema();
  REQUIRE(schema["properties"].size() == all_settings().size());
  for (const Setting& s : all_settings()) {
    CAPTURE(s.name);
    const json& p = schema["properties"][std::string(s.name)];
    CHECK(p["description"].get<std::string>().size() >= 8);
    CHECK(p.contains("minimum") == (s.kind == SettingKind::integer || s.kind == SettingKind::number));
  }
}

TEST_CASE("a name is found whatever its case and dashes") {
  REQUIRE(find_setting("Max-Seq-Length") != nullptr);
  CHECK(find_setting("Max-Seq-Length")->name == "seq");
  CHECK(find_setting(" per_device_train_batch_size ") == find_setting("batch"));
  CHECK(find_setting("seq_length") == find_setting("seq"));
  CHECK(find_setting("NUM GPUS") == find_setting("num_gpus"));
  CHECK(find_setting("") == nullptr);
  CHECK(find_setting("learning_rate") == nullptr);
  CHECK(find_setting(std::string(10'000, 'a')) == nullptr);
}

TEST_CASE("numbers are read as people and programs write them") {
  CHECK(taken("seq", "2,048") == 2048);
  CHECK(taken("seq", "2_048") == 2048);
  CHECK(taken("seq", 2048.0) == 2048);
  CHECK(taken("seq", "2048 tokens") == 2048);
  CHECK(taken("samples", "1e9") == 1e9);
  CHECK(taken("samples", "1.3k") == 1300);
  CHECK(taken("samples", "12M") == 12e6);
  CHECK(taken("tokens", "30B") == 30e9);
  CHECK(taken("vram_gib", "24 GB") == 24);
  CHECK(taken("vram_gib", "40GiB") == 40);
  CHECK(taken("disk_gb", "500 GB") == 500);
  CHECK(taken("hours", "2.5 h") == 2.5);
  CHECK(taken("gpu_hours", "1,250 GPU-hours") == 1250);
  CHECK(taken("steps", "+5") == 5);
}

TEST_CASE("parameters in billions may be written as such, or counted one by one") {
  CHECK(taken("params_b", 8) == 8);
  CHECK(taken("params", "8B") == 8);
  CHECK(taken("params", "350M").get<double>() == Approx(0.35));
  CHECK(taken("params", "1.5 b").get<double>() == Approx(1.5));
  CHECK(taken("params", 6'738'415'616).get<double>() == Approx(6.738).epsilon(0.001));
  CHECK(taken("params", "124000000").get<double>() == Approx(0.124));
  CHECK(taken("params_b", "1e15") == nullptr);  // a million billions
}

TEST_CASE("what is no number of the setting is refused, never bent") {
  for (const json& value : std::initializer_list<json>{"1e999",
                                                       "nan",
                                                       "inf",
                                                       "-inf",
                                                       "0x10",
                                                       "",
                                                       " ",
                                                       "-1",
                                                       -1,
                                                       0,
                                                       "12 apples",
                                                       "1,2",
                                                       "0,1,2,3",
                                                       "1,23",
                                                       "1e",
                                                       "--5",
                                                       "1.2.3",
                                                       1.5,
                                                       true,
                                                       json::array({4}),
                                                       json::object({{"a", 1}}),
                                                       nullptr,
                                                       std::numeric_limits<double>::quiet_NaN(),
                                                       std::numeric_limits<double>::infinity(),
                                                       1e300}) {
    CAPTURE(value.dump());
    CHECK(taken("batch", value) == nullptr);
  }
  CHECK(taken("batch", std::string(10'000, '9')) == nullptr);
  CHECK(taken("batch", 1'000'000) == 1'000'000);
  CHECK(taken("batch", 1'000'001) == nullptr);
  const auto refusal = canonical_value(*find_setting("batch"), json(std::string(10'000, 'x')));
  REQUIRE_FALSE(refusal);
  CHECK(refusal.error().what.size() < 200);
  CHECK(refusal.error().what.find("batch") == 0);
}

TEST_CASE("choices and switches are known by many names") {
  CHECK(taken("bits", "16-mixed") == "16mixed");
  CHECK(taken("bits", "bf16-true") == "16");
  CHECK(taken("bits", 4) == "4");
  CHECK(taken("bits", 16.0) == "16");
  CHECK(taken("bits", "NF4") == "4");
  CHECK(taken("bits", true) == nullptr);
  CHECK(taken("bits", 7) == nullptr);
  CHECK(taken("opt", "paged_adamw_8bit") == "adamw8bit");
  CHECK(taken("optimizer", "AdamW_Torch_Fused") == "adamw");
  CHECK(taken("shard", "ZeRO-3") == "zero3");
  CHECK(taken("shard", json::array({"zero3"})) == nullptr);
  CHECK(taken("shard", json::object()) == nullptr);
  CHECK(taken("gc", true) == 1);
  CHECK(taken("gc", "False") == 0);
  CHECK(taken("gc", 2) == nullptr);
  CHECK(taken("gc", "perhaps") == nullptr);
  CHECK(taken("model", "  meta-llama/Llama-3.1-8B\n") == "meta-llama/Llama-3.1-8B");
  CHECK(taken("model", "") == nullptr);
  CHECK(taken("model", json::array()) == nullptr);
  CHECK(taken("model", std::string(10'000, 'm')).get<std::string>().size() <= 204);  // with an ellipsis
  CHECK(taken("res", 512) == "512");
}

TEST_CASE("a misspelled fact is named with what may have been meant, and the rest counts") {
  const auto p =
      with_facts({{"model", "llama-2-7b"}, {"methd", "lora"}, {"batchsize", 4}, {"colour", "red"}});
  CHECK(p.params_b == Approx(6.738));
  CHECK(warned(p, "methd is no known setting and was ignored; did you mean method?"));
  CHECK(warned(p, "batchsize is no known setting and was ignored; did you mean batch_size?"));
  CHECK(warned(p, "colour is no known setting and was ignored"));
  CHECK_FALSE(warned(p, "colour is no known setting and was ignored; did"));
}

TEST_CASE("values that make no sense are named and ignored; null says nothing") {
  const auto p = with_facts({{"model", "llama-2-7b"}, {"batch", "lots"}, {"seq", -4}, {"epochs", nullptr}});
  CHECK(warned(p, "batch: \"lots\" is not a number"));
  CHECK(warned(p, "seq: -4 is not a number"));
  CHECK_FALSE(warned(p, "epochs"));
  CHECK(p.params_b == Approx(6.738));
}

TEST_CASE("facts that are no object are named and ignored") {
  for (const json& facts : std::initializer_list<json>{json::array({1, 2}), "batch 4", 7, true})
    CHECK(warned(with_facts(facts), "facts is not an object"));
  CHECK(with_facts(nullptr).warnings.empty());
  CHECK(with_facts(json::object()).warnings.empty());
}

TEST_CASE("ten thousand unknown facts cost little and hide no known one") {
  json facts{{"zero_sum", 1}, {"model", "llama-2-7b"}, {"method", "lora"}, {"seq", 512}};
  for (int i = 0; i < 10'000; ++i) facts["a" + std::to_string(i)] = i;
  const auto p = with_facts(std::move(facts));
  CHECK(p.params_b == Approx(6.738));
  CHECK(p.warnings.size() <= 40);
  CHECK(dump(json(p)).size() < 20'000);
}

TEST_CASE("a slip is one or two letters, another word is more") {
  const std::vector<std::string> known{"batch", "seq", "epochs", "gc"};
  CHECK(nearest_name("Bacth", known) == "batch");
  CHECK(nearest_name("sec", known) == "seq");
  CHECK(nearest_name("epoch", known) == "epochs");
  CHECK(nearest_name("seed_everything", known).empty());
  CHECK(nearest_name("ab", known).empty());
  CHECK(nearest_name("anything", {}).empty());
  CHECK(edit_distance("kitten", "sitting") == 3);
  CHECK(edit_distance("", "abc") == 3);
}
