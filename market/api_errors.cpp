#include "market/api_errors.h"

#include <array>

#include "core/text.h"
#include "market/redact.h"

namespace vastgpu {
namespace {

constexpr const char* kWhereKeysGo =
    "put the API key (cloud.vast.ai, page Keys) into the environment variable VAST_API_KEY or the file "
    "~/.config/vastai/vast_api_key";

/// Words of the API that decide, in `error` or in the middle of `msg`; the first that matches wins.
struct Known {
  std::string_view word;
  Code code;
  const char* what;
  const char* next_step;
};
constexpr std::array kKnown = {
    Known{"no_such_ask", Code::not_found, "the offer is no longer rentable",
          "call provision again and pick another offer"},
    Known{"is not your own", Code::not_found, "the offer is kept for its owner",
          "call provision again and pick another offer"},
    Known{"insufficient_credit", Code::over_budget, "the Vast.ai account has too little credit",
          "ask the user to add credit on the billing page of the Vast.ai console (cloud.vast.ai, Billing), "
          "then call "
          "again"},
    Known{"spend_rate_limit", Code::over_budget, "the account's limit on spending per hour is reached",
          "destroy a machine, or ask the user to have the limit raised on the billing page of the Vast.ai "
          "console"},
    Known{"missing_billing", Code::over_budget, "the Vast.ai account has no payment method",
          "ask the user to add one on the billing page of the Vast.ai console (cloud.vast.ai, Billing)"},
    Known{"team_ssh_keys_not_supported", Code::wrong_state, "a team's API key cannot hold SSH keys",
          "use the API key of a person's account: set VAST_API_KEY"},
    Known{"no_ssh_key", Code::wrong_state, "the Vast.ai account has no SSH key",
          "add a public SSH key to the account (cloud.vast.ai, page Keys), then call again"},
    Known{"label_too_long", Code::invalid_argument, "the label is longer than 256 characters",
          "use a shorter label"},
    Known{"invalid_price", Code::invalid_argument, "the bid is outside what the marketplace accepts",
          "bid between $0.001 and $128 an hour, and at least the offer's min_bid"},
};

const Known* find_known(const Refusal& r) {
  for (const Known& k : kKnown)
    if (r.error.find(k.word) != std::string::npos || r.msg.find(k.word) != std::string::npos) return &k;
  return nullptr;
}

bool holds(const Refusal& r, std::string_view word) {
  return to_lower(r.error).find(word) != std::string::npos || to_lower(r.msg).find(word) != std::string::npos;
}

/// "HTTP 400 invalid_args: error 400/3467: Invalid args"
std::string in_its_words(int status, const Refusal& r) {
  std::string s = "HTTP " + std::to_string(status);
  if (!r.error.empty()) s += " " + r.error;
  if (!r.msg.empty()) s += ": " + r.msg;
  return s;
}

bool settles_nothing(int status) {
  return status < 400 || status >= 500 || status == 408 || status == 409 || status == 425;
}

Error auth_error(int status, const Refusal& r) {
  const std::string said = " (" + in_its_words(status, r) + ")";
  if (holds(r, "two factor") || holds(r, "two-factor") || holds(r, "2fa"))
    return {.code = Code::unauthenticated,
            .what = "the account asks for two-factor authentication" + said,
            .next_step =
                "run 'vastai tfa login' once, which writes ~/.config/vastai/vast_tfa_key, or make an API key "
                "that needs no second factor; unset VAST_API_KEY if it hides the new one"};
  if (holds(r, "session expired"))
    return {.code = Code::unauthenticated,
            .what = "the two-factor session has expired" + said,
            .next_step =
                "run 'vastai tfa login' again, or delete ~/.config/vastai/vast_tfa_key to use the plain key"};
  if (status == 403)
    return {.code = Code::unauthenticated,
            .what = "the API key may not do this" + said,
            .next_step =
                "make a key with the rights instance_read, instance_write, misc, user_read and user_write "
                "(cloud.vast.ai, page Keys)"};
  return {.code = Code::unauthenticated,
          .what = "the marketplace does not know this API key" + said,
          .next_step = text("check the key: ", kWhereKeysGo)};
}

}  // namespace

Refusal read_refusal(const std::string& body, const Secret& key) {
  Refusal r;
  const std::string_view shown = trim(std::string_view(body).substr(0, 64 * 1024));
  if (shown.empty()) return r;
  if (shown[0] == '<') {
    r.msg = "(an HTML page)";
    return r;
  }
  const bool small = body.size() <= 64 * 1024;  // a document of more than that is no refusal
  const auto j = shown[0] == '{' && small ? parse_json(body, "error body") : Result<json>(json());
  if (!j || !j->is_object()) {
    r.msg = redact(shown, key);
    return r;
  }
  if (const auto code = read_field<std::string>(*j, "error")) r.error = redact(*code, key, 60);
  for (const char* name : {"msg", "message", "detail", "error_msg"}) {
    const auto at = j->find(name);
    if (at == j->end() || at->is_null()) continue;
    r.msg = redact(at->is_string() ? at->get_ref<const std::string&>() : dump(*at), key);
    if (!r.msg.empty()) break;
  }
  r.retry_after = read_number(*j, "retry_after");
  return r;
}

bool says_failed(const json& body) {
  const auto success = read_field<bool>(body, "success");
  return success && !*success;
}

bool is_auth_failure(int status, const Refusal& r) {
  if (status == 401) return true;
  if (status == 403) return r.error != "invalid_args" && find_known(r) == nullptr;
  return status == 404 &&
         (r.error == "auth_error" || holds(r, "invalid user key") || holds(r, "session expired"));
}

bool is_gone(int status, const Refusal& r) {
  if (is_auth_failure(status, r) || status != 404) return false;
  return r.error == "no_such_instance" || r.error == "not_found" || holds(r, "no_such_instance");
}

Error error_of(int status, const Refusal& r, bool changes) {
  const std::string said = in_its_words(status, r);
  const Effect unsettled = changes ? Effect::unknown : Effect::none;
  if (is_auth_failure(status, r)) return auth_error(status, r);
  if (status == 429)
    return {.code = Code::rate_limited,
            .what = "too many requests on this Vast.ai account (" + said + ")",
            .next_step = "wait a minute, then call again; other programs with the same key count too"};
  if (holds(r, "deprecated_endpoint"))
    return {.code = Code::unavailable,
            .what = "the marketplace has retired the route we asked; the answer is unknown, not empty (" +
                    said + ")",
            .next_step = "update vast-gpu; until then look at cloud.vast.ai, page Instances"};
  if (holds(r, "resources_unavailable"))
    return {.code = Code::wrong_state,
            .what = "the machine's GPU is let to someone else; the start is queued without a deadline (" +
                    said + ")",
            .next_step = "destroy the instance and rent another, or stop it to leave the queue",
            .effect = changes ? Effect::happened : Effect::none};
  if (const Known* known = find_known(r))
    return {.code = known->code,
            .what = std::string(known->what) + " (" + said + ")",
            .next_step = known->next_step,
            .effect = status < 400 || !settles_nothing(status) ? Effect::none : unsettled};
  if (status == 402 || status == 411)
    return {
        .code = Code::over_budget,
        .what = "the Vast.ai account's credit does not cover this (" + said + ")",
        .next_step =
            "ask the user to add credit on the billing page of the Vast.ai console (cloud.vast.ai, Billing)"};
  if (status == 404 || status == 410) {
    const bool by_the_api = !r.error.empty();
    if (by_the_api)
      return {.code = Code::not_found,
              .what = "the marketplace does not know it (" + said + ")",
              .next_step = "call list to see what exists"};
    return {.code = Code::unavailable,
            .what = "the marketplace has nothing at this address; that says nothing about the machine (" +
                    said + ")",
            .next_step = "check the configured address of the marketplace, or update vast-gpu"};
  }
  if (status >= 300 && settles_nothing(status))
    return {.code = Code::unavailable,
            .what = "the marketplace is in trouble (" + said + ")",
            .next_step = "call again in a minute",
            .effect = unsettled};
  const bool gone = holds(r, "no_such_instance");
  return {
      .code = gone ? Code::not_found : Code::invalid_argument,
      .what = "the marketplace refused (" + said + ")",
      .next_step = gone ? "call list to see what exists" : "change what the message names, then call again"};
}

Error nonsense(const std::string& what, bool changes) {
  return {.code = Code::corrupt,
          .what = "the marketplace's answer makes no sense: " + what + "; so this is unknown, not empty",
          .next_step = "call again; report this if it stays",
          .effect = changes ? Effect::unknown : Effect::none};
}

Error no_key() {
  return {.code = Code::unauthenticated, .what = "there is no Vast.ai API key", .next_step = kWhereKeysGo};
}

}  // namespace vastgpu
