#include "server/request_state.h"

#include "core/base64.h"
#include "core/files.h"
#include "core/mac.h"

namespace vastgpu {
namespace {

// The revision of the form below; another one is refused.
constexpr const char* kForm = "v1.";

std::int64_t milliseconds(TimePoint t) {
  return std::chrono::floor<std::chrono::milliseconds>(t).time_since_epoch().count();
}
TimePoint from_milliseconds(std::int64_t n) { return TimePoint(std::chrono::milliseconds(n)); }

std::string digest(const json& arguments) { return sha256_hex(dump(arguments)); }

json to_wire(const Question& q) {
  return {{"key", q.key},
          {"message", q.message},
          {"schema", q.schema},
          {"method", q.method},
          {"params", q.params}};
}
Question from_wire(const json& j) {
  return {.key = j.at("key"),
          .message = j.at("message"),
          .schema = j.at("schema"),
          .method = j.at("method"),
          .params = j.at("params")};
}

std::string mac_of(const std::string& text, const Secret& key) {
  return to_base64(hmac_sha256(key.reveal(), text), false);
}

RpcError refused(const char* why) {
  return {kInvalidParams, std::string("requestState ") + why + "; call again without it", {}};
}

}  // namespace

std::string seal(const RequestState& s, const AskedBy& by, const Secret& key) {
  json asks = json::array();
  for (const Question& q : s.asks) asks.push_back(to_wire(q));
  const json body = {{"iat", milliseconds(s.issued)},
                     {"exp", milliseconds(s.expires)},
                     {"method", by.method},
                     {"name", by.name},
                     {"args", digest(by.arguments)},
                     {"asks", std::move(asks)},
                     {"given", s.given},
                     {"state", s.state},
                     {"round", s.round},
                     {"again", s.again},
                     {"mark", s.mark}};
  std::string sealed = kForm + to_base64(dump(body), false);
  sealed += "." + mac_of(sealed, key);
  return sealed.size() <= kMaxState ? sealed : std::string();
}

tl::expected<RequestState, RpcError> unseal(const std::string& sealed, const AskedBy& by, const Secret& key,
                                            TimePoint now) {
  const auto dot = sealed.rfind('.');
  if (sealed.size() > kMaxState || !sealed.starts_with(kForm) || dot == std::string::npos ||
      dot < std::string_view(kForm).size())
    return tl::unexpected(refused("is not one of ours"));
  const std::string text = sealed.substr(0, dot);
  // Compared as text: two texts that decode to the same bytes are still two texts.
  if (!same_bytes(mac_of(text, key), std::string_view(sealed).substr(dot + 1)))
    return tl::unexpected(refused("is not as it was sent"));
  const auto raw = from_base64(std::string_view(text).substr(std::string_view(kForm).size()));
  const auto body = parse_json(raw.value_or(""), "requestState");
  if (!body) return tl::unexpected(refused("cannot be read"));
  try {  // it is ours; another version of us may still have put other things into it
    RequestState s{.given = body->at("given"),
                   .state = body->at("state"),
                   .issued = from_milliseconds(body->at("iat")),
                   .expires = from_milliseconds(body->at("exp")),
                   .round = body->at("round"),
                   .again = body->at("again"),
                   .mark = body->at("mark")};
    for (const json& one : body->at("asks")) s.asks.push_back(from_wire(one));
    if (body->at("method") != by.method || body->at("name") != by.name ||
        body->at("args") != digest(by.arguments))
      return tl::unexpected(refused("belongs to another request"));
    if (now >= s.expires || now < s.issued - std::chrono::minutes(1))
      return tl::unexpected(refused("is over: too much time has passed"));
    return s;
  } catch (const json::exception&) {
    return tl::unexpected(refused("cannot be read"));
  }
}

}  // namespace vastgpu
