#include "server/rpc.h"

#include "tests/support/catch.h"

using namespace vastgpu;

namespace {

/// Takes answers down.
struct Outbox {
  std::vector<std::optional<std::string>> got;
  Reply reply(json id) {
    return Reply(std::move(id), [this](std::optional<std::string> m) { got.push_back(std::move(m)); });
  }
};

}  // namespace

TEST_CASE("an id comes back with its own type") {
  for (const json& id :
       {json(0), json(1), json(-7), json(INT64_MAX), json(UINT64_MAX), json("1"), json(""), json("é")}) {
    Outbox out;
    out.reply(id).result({{"x", 1}});
    REQUIRE(out.got.size() == 1);
    const json message = json::parse(out.got[0].value());
    CHECK(message.at("id") == id);
    CHECK(message.at("id").is_string() == id.is_string());
    CHECK(message.at("jsonrpc") == "2.0");
  }
}

TEST_CASE("a reply answers once, also when it is forgotten or moved about") {
  Outbox out;
  { const Reply forgotten = out.reply(1); }
  REQUIRE(out.got.size() == 1);
  CHECK(json::parse(*out.got[0]).at("error").at("code") == kInternalError);

  {
    Reply first = out.reply(2);
    Reply second = std::move(first);
    std::move(second).raw_result("{}");
  }
  REQUIRE(out.got.size() == 2);
  CHECK(*out.got[1] == R"({"jsonrpc":"2.0","id":2,"result":{}})");

  out.reply(3).abandon();
  REQUIRE(out.got.size() == 3);
  CHECK_FALSE(out.got[2]);
}

TEST_CASE("ids that are no ids are refused without repeating them") {
  for (const char* id : {"null", "1.0", "1.5", "1e3", "true", "[]", "{}", "99999999999999999999"}) {
    CAPTURE(id);
    const auto got =
        read_request(json::parse(std::string(R"({"jsonrpc":"2.0","method":"ping","id":)") + id + "}"));
    REQUIRE_FALSE(got);
    CHECK_FALSE(got.error().id);
    REQUIRE(got.error().answer);
    CHECK(got.error().answer->code == kInvalidRequest);
  }
}

TEST_CASE("notifications and responses are never answered, however broken") {
  for (const char* line :
       {R"({"jsonrpc":"1.0","method":"x"})", R"({"jsonrpc":"2.0","method":7})",
        R"({"jsonrpc":"2.0","method":"x","params":[]})", R"({"jsonrpc":"2.0","id":1,"result":{}})",
        R"({"jsonrpc":"2.0","error":{}})", R"({"id":null,"result":1})"}) {
    CAPTURE(line);
    const auto got = read_request(json::parse(line));
    REQUIRE_FALSE(got);
    CHECK_FALSE(got.error().answer);
  }
  const auto fine = read_request(json::parse(R"({"jsonrpc":"2.0","method":"x"})"));
  REQUIRE(fine);
  CHECK_FALSE(fine->id);
  CHECK(fine->params == json::object());
}
