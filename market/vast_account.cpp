// Keys, logs and money.
#include <algorithm>

#include "core/text.h"
#include "market/vast_market.h"
#include "market/vast_pages.h"
#include "market/wire.h"

namespace vastgpu {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kLogShown = 1'000'000;
constexpr std::size_t kLogFetched = 16'000'000;  // `tail` keeps it far smaller
constexpr int kLogTries = 30;
constexpr Duration kLogEvery = 500ms;  // the vendor's client asks 30 times, 0.3 s apart

Error no_log_yet(InstanceId id) {
  return {.code = Code::unavailable,
          .what = "the log of instance " + to_string(id) + " has not appeared yet",
          .next_step = "call again in a minute; a machine that is still loading may have none"};
}

/// The end of a log, from the start of a line.
std::string_view last_part(std::string_view log) {
  if (log.size() <= kLogShown) return log;
  log.remove_prefix(log.size() - kLogShown);
  const auto line = log.find('\n');
  return line == std::string_view::npos ? log : log.substr(line + 1);
}

}  // namespace

Result<std::vector<SshKey>> VastMarket::account_keys(std::stop_token stop) {
  auto answer = api_.ask(call("GET", "/api/v0/ssh/"), stop);
  if (!answer) return fail(std::move(answer).error());
  return read_ssh_keys(*answer);
}

Result<void> VastMarket::add_key(const std::string& path, const std::string& public_key,
                                 const std::stop_token& stop) {
  if (!public_key.starts_with("ssh-") && !public_key.starts_with("ecdsa-") && !public_key.starts_with("sk-"))
    return fail({.code = Code::invalid_argument,
                 .what = "that is no public SSH key",
                 .next_step = "give the content of a .pub file"});
  ApiCall c = call("POST", path);
  c.body = json{{"ssh_key", std::string(trim(public_key))}};
  c.changes = true;
  auto answer = api_.send(c, stop);
  if (!answer) return fail(std::move(answer).error());
  const bool accepted = answer->status >= 200 && answer->status <= 299;
  const Refusal said = api_.read(*answer);
  const std::string words = to_lower(said.error + " " + said.msg);
  // Adding twice is what we want anyway; a 429 or a wrong key says "already" nowhere.
  if (words.find("already") != std::string::npos && answer->status < 500 &&
      !is_auth_failure(answer->status, said))
    return {};
  const auto body = parse_json(answer->body, "the answer");
  if (!accepted || (body && says_failed(*body))) return fail(api_.refusal(*answer, true));
  return {};
}

Result<void> VastMarket::add_account_key(const std::string& public_key, std::stop_token stop) {
  return add_key("/api/v0/ssh/", public_key, stop);
}

Result<void> VastMarket::attach_key(InstanceId id, const std::string& public_key, std::stop_token stop) {
  return add_key("/api/v0/instances/" + to_string(id) + "/ssh/", public_key, stop);
}

Result<std::string> VastMarket::logs(InstanceId id, int tail, std::stop_token stop) {
  ApiCall c = call("PUT", "/api/v0/instances/request_logs/" + to_string(id) + "/");
  c.body = json{{"tail", std::to_string(std::clamp(tail, 1, 100'000))}};  // numbers travel as text here
  auto answer = api_.ask(c, stop);
  if (!answer) return fail(std::move(answer).error());
  const auto address = read_field<std::string>(*answer, "result_url");
  if (!address || address->empty()) return fail(no_log_yet(id));

  for (int attempt = 0; attempt < kLogTries; ++attempt) {
    if (attempt > 0 && !api_.clock().sleep_for(kLogEvery, stop))
      return fail(
          {.code = Code::cancelled, .what = "stopped while waiting for the log", .next_step = "call again"});
    auto log = api_.fetch(*address, kLogFetched, stop);
    if (!log) {
      Error e = std::move(log).error();
      e.effect = Effect::none;
      if (e.code != Code::unavailable)
        return fail(std::move(e).during("fetching the log of instance " + to_string(id)));
    } else if (log->status == 200) {
      return clean(last_part(log->body), kLogShown);
    } else if (log->status >= 300 && log->status < 400) {
      return fail(nonsense("the log's address leads on to another one", false));
    }
    // 403 and 404: the file appears some seconds after it was asked for.
  }
  return fail(no_log_yet(id));
}

Result<Account> VastMarket::account(std::stop_token stop) {
  auto answer = api_.ask(call("GET", "/api/v0/users/current/"), stop);
  if (!answer) return fail(std::move(answer).error());
  return read_account(*answer);
}

Result<std::vector<Charge>> VastMarket::charges(TimePoint from, TimePoint to, std::stop_token stop) {
  const auto seconds = [](TimePoint t) {
    return std::chrono::floor<std::chrono::seconds>(t).time_since_epoch().count();
  };
  const json filter = {
      {"day", {{"gte", seconds(std::chrono::floor<std::chrono::days>(from))}, {"lte", seconds(to)}}},
      {"type", {{"in", json::array({"instance"})}}}};
  auto got = pages(
      "/api/v0/charges/",
      {{"select_filters", dump(filter)}, {"latest_first", "false"}, {"limit", "100"}, {"format", "table"}},
      "results", Route::other, stop);
  if (!got) return fail(std::move(got).error());
  std::vector<Charge> charges;
  for (const json& row : got->rows)
    for (Charge& charge : read_charges(row, from, to)) charges.push_back(std::move(charge));
  return charges;
}

}  // namespace vastgpu
