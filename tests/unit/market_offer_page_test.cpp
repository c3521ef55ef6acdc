// What is made of the rows that thousands of hosts wrote.
#include "market/offer_page.h"

#include "core/json.h"
#include "market/json_mend.h"
#include "tests/support/catch.h"

using namespace vastgpu;

namespace {

Result<OfferPage> page_of(std::string text) { return read_offer_page(text); }
Result<OfferPage> page_with(const std::string& rows) {
  return page_of(R"({"success":true,"offers":[)" + rows + "]}");
}

/// The offer of one row, if it can be read. The second row keeps the page readable.
std::optional<Offer> offer_of(const std::string& row) {
  auto page = page_with(row + R"(,{"id":999,"gpu_name":"A10","dph_total":1})");
  REQUIRE(page);
  if (page->offers.front().id == OfferId{999}) return std::nullopt;
  return page->offers.front();
}

std::string row(const std::string& fields) {
  return R"({"id":5,"gpu_name":"A10","dph_total":0.5)" + fields + "}";
}

}  // namespace

TEST_CASE("dirty rows are read as far as they go") {
  const auto o = offer_of(
      R"({"id":"5","gpu_name":" RTX 4090\n","dph_total":"0.41","machine_id":28143,"host_id":108771,
    "gpu_frac":0.5,"gpu_ram":24564,"num_gpus":1,"compute_cap":890,"cuda_max_good":12.8,"verification":"verified",
    "hosting_type":null,"geolocation":", US\u001b[31m","reliability2":0.9957,"duration":2592000.0,"min_bid":0.2,
    "direct_port_count":124,"static_ip":1,"storage_cost":0.15,"hostname":null,"cpu_cores":null,"is_bid":false,
    "gpu_ids":[0,{"id":7}],"instance":{"id":8,"totalHour":9},"cpu_ram":128000})");
  REQUIRE(o);
  CHECK(o->id == OfferId{5});
  CHECK(o->machine == MachineId{28143});
  CHECK(o->gpu_name == "RTX 4090");
  CHECK(o->price == UsdPerHour{0.41});
  CHECK(o->location == "US");
  CHECK(o->verified);
  CHECK_FALSE(o->datacenter);
  CHECK(o->static_ip);
  CHECK(o->compute_cap == 890);
  CHECK(o->max_duration == Hours(720));
  CHECK(o->min_bid == UsdPerHour{0.2});
  CHECK(o->gpu_fraction == 0.5);
  CHECK(o->host_ram->value == Approx(128000 * 0.5 * 0.96 * 1.048576 / 1000));  // no cores: by its GPUs
}

TEST_CASE("without id, price or card there is no offer; a price may stand in the search block") {
  CHECK(offer_of(R"({"id":6,"gpu_name":"A10","search":{"totalHour":0.3,"diskHour":9}})")->price ==
        UsdPerHour{0.3});
  CHECK(offer_of(R"({"id":6,"gpu_name":"A10","verified":"verified","dph_total":1})")->verified);
  for (const char* bad :
       {R"({"id":null,"gpu_name":"A10","dph_total":1})", R"({"id":-1,"gpu_name":"A10","dph_total":1})",
        R"({"id":1,"gpu_name":null,"dph_total":1})", R"({"id":1,"gpu_name":["A10"],"dph_total":1})",
        R"({"id":1,"gpu_name":"A10","dph_total":-1,"search":{"totalHour":0}})",
        R"({"id":1,"gpu_name":"A10","search":0.3})", R"({"id":1,"gpu_name":"A10","totalHour":1})",
        R"({"id":1,"gpu_name":"A10","deep":{"search":{"totalHour":1},"dph_total":1}})",
        R"({"id":1.5,"gpu_name":"A10","dph_total":1})",
        R"({"id":99999999999999999999,"gpu_name":"A10","dph_total":1})", "{}", "null", "[{}]", "3"}) {
    CAPTURE(bad);
    CHECK_FALSE(offer_of(bad));
  }
}

TEST_CASE("wrong types and absurd values read as not known") {
  const auto o = offer_of(row(
      R"(,"num_gpus":"many","gpu_ram":{"mb":1},"reliability2":"high","duration":-5,"min_bid":-1,"gpu_frac":7,
         "compute_cap":1e99,"inet_down":[1],"direct_port_count":-3,"dlperf":true,"geolocation":17,"cpu_ram":"x")"));
  REQUIRE(o);
  CHECK(o->num_gpus == 1);
  CHECK(o->gpu_ram.value == 0);
  CHECK(o->reliability == 0);
  CHECK_FALSE(o->max_duration);
  CHECK_FALSE(o->min_bid);
  CHECK(o->gpu_fraction == 1);
  CHECK(o->compute_cap == 0);
  CHECK(o->inet_down.value == 0);
  CHECK(o->direct_ports == 0);
  CHECK(o->location.empty());
  CHECK_FALSE(o->host_ram);
}

TEST_CASE("of a repeated key the last value counts") {
  CHECK(offer_of(row(R"(,"dph_total":0.7,"gpu_name":"A40")"))->price == UsdPerHour{0.7});
  CHECK_FALSE(offer_of(row(R"(,"dph_total":null)")));
}

TEST_CASE("memory of the host is this offer's share") {
  const auto o = offer_of(row(R"(,"cpu_ram":256000,"cpu_cores":64,"cpu_cores_effective":16.0,"gpu_frac":1)"));
  CHECK(o->host_ram->value == Approx(256000 * 0.25 * 0.96 * 1.048576 / 1000));
}

TEST_CASE("of rows with one id the best score stays; unreadable rows do not hide the others") {
  const auto page = page_with(
      R"({"id":1,"gpu_name":"A","dph_total":0.5,"score":10},{"id":2,"gpu_name":"A","dph_total":0.4},
         {"score":20,"id":1,"gpu_name":"A","dph_total":0.6},{"id":1,"gpu_name":"A","dph_total":0.7,"score":15},
         null,"x",{},[[]],7)");
  REQUIRE(page);
  CHECK(page->rows == 9);
  REQUIRE(page->offers.size() == 2);
  CHECK(page->offers[0].price == UsdPerHour{0.6});
}

TEST_CASE("what no JSON parser takes costs its own field only") {
  for (const char* bad : {"NaN", "-NaN", "Infinity", "-Infinity", "1e999", "-1e99999", "nan", "inf"}) {
    CAPTURE(bad);
    const auto o = offer_of(row(std::string(R"(,"dlperf":)") + bad + R"(,"cuda_max_good":12.4)"));
    REQUIRE(o);
    CHECK(o->dlperf == 0);
    CHECK(o->cuda_max == 12.4);
  }
  CHECK(offer_of(row(",\"geolocation\":\"\xC3(, US\",\"cuda_max_good\":12.4"))->cuda_max == 12.4);
  CHECK(offer_of(row(",\"public_ipaddr\":\"1.2.3.4\n\",\"geolocation\":\"A\tB, US\""))->location ==
        "A B, US");
  CHECK(offer_of(row(R"(,"hostname":"\ud800 \x \u12g4","geolocation":"NaN, US")"))->location == "NaN, US");
}

TEST_CASE("mending changes nothing that is proper, and never the length") {
  const std::string proper =
      R"({"a":"NaN \" Infinity \\","b":[1e5,-0.1,true,null,"é","\ud83d\ude00"],"c":1e-999})";
  std::string text = proper;
  CHECK(mend_json(text) == 0);
  CHECK(text == proper);
  std::string dirty = "[NaN, 1e999,\"\xFF\\q\"]";
  const std::size_t before = dirty.size();
  CHECK(mend_json(dirty) == 4);
  CHECK(dirty.size() == before);
  CHECK(json::parse(dirty)[0] == "");
  std::string open = "[\"abc\\";  // ends inside a text
  mend_json(open);
  CHECK(open == "[\"abc?");
}

TEST_CASE("a page that cannot be trusted is never 'nothing on offer'") {
  std::string deep = R"({"offers":[{"id":1,"x":)";
  for (int i = 0; i < 5000; ++i) deep += "[";
  for (const std::string& text :
       {std::string(R"({"offers":null})"), std::string(R"({"success":true})"), std::string("[]"),
        std::string(), std::string("7"), std::string(R"({"offers":[{"id":1},{"id":2}]})"),
        std::string(R"({"offers":{"id":1}})"), std::string(R"({"a":{"offers":[]}})"),
        std::string(R"({"offers":[{"id":1,"gpu_name":"A","dph_total":1})"),
        std::string(R"({"offers":[]} {})"), std::string("<html>"), deep}) {
    CAPTURE(text.substr(0, 60));
    const auto page = page_of(text);
    REQUIRE_FALSE(page);
    CHECK(page.error().code == Code::corrupt);
    CHECK_FALSE(page.error().next_step.empty());
  }
  CHECK(page_of(R"({"offers":[]})")->offers.empty());
  CHECK(page_of(R"({"offers":[{"offers":[{"id":1}],"id":1,"gpu_name":"A","dph_total":1}]})")->offers.size() ==
        1);
  CHECK(page_of(R"({"success":false,"error":"x"})")->refused);
}

TEST_CASE("wherever a page breaks off, it is refused and not half read") {
  const std::string whole =
      R"({"offers":[{"id":1,"gpu_name":"A\u00e9","dph_total":0.5,"search":{"totalHour":1}},null]})";
  for (std::size_t n = 0; n < whole.size(); ++n) CHECK_FALSE(page_of(whole.substr(0, n)));
  CHECK(page_of(whole));
}

TEST_CASE("a flood of rows is bounded") {
  std::string rows;
  for (int i = 1; i <= 200'002; ++i) {
    if (i > 1) rows += ',';
    rows += R"({"id":)" + std::to_string(i) + R"(,"gpu_name":"A","dph_total":1})";
  }
  const auto page = page_with(rows);
  REQUIRE_FALSE(page);
  CHECK(page.error().what.find("more offers than any market") != std::string::npos);
}
