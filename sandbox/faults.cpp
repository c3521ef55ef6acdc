#include "sandbox/faults.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "core/text.h"

namespace vastgpu::sandbox {
namespace {

using enum FaultKind;

constexpr auto kFaults = std::to_array<FaultInfo>({
    {"api-down", request, 0, "503",
     "every route fails: 503 (empty body), or `close`: headers, then the connection ends"},
    {"gateway-502", request, 0, "", "502 with an HTML page"},
    {"rate-limit", request, 0, "live",
     "429 in the shape `live` (JSON, headers), `bare` (JSON, no headers), `detail` or `plain`; `off`: no "
     "limit at all"},
    {"route-intervals", request, 0, "", "the documented minimum interval of each route is enforced too"},
    {"auth-404", request, 0, "", "a good key answers 404 auth_error"},
    {"auth-401", request, 0, "", "an unknown key answers 401 instead of 404"},
    {"auth-401-2fa", request, 0, "", "what spends money answers 401 Two Factor Authentication"},
    {"deprecated", request, 0, "/api/v0/instances/",
     "routes that start with the value answer 410 deprecated_endpoint"},
    {"dirty-data", request, 0, "", "duplicate offers, nulls, NaN, spaced addresses, an unknown state word"},
    {"hostile-words", request, 0, "",
     "what hosts and machines write themselves holds escapes, orders to a model and 20 kB too much"},
    {"short-list", request, 0, "0", "the instance list stops after VALUE rows although its totals count all"},
    {"paging-repeated-token", request, 0, "",
     "every page of the instance list hands out the same next_token"},
    {"paging-shift", request, 0, "", "later pages miss their first row: it moved while somebody was reading"},

    {"offer-gone", create, 1, "400",
     "create answers no_such_ask with status VALUE (400, 404 or 410), and the offer is gone"},
    {"low-bid", create, 1, "",
     "create answers 200 success:false with a new_contract that is stopped and bills"},
    {"no-credit", create, 0, "", "create and start answer 400 insufficient_credit"},
    {"create-504", create, 1, "", "create happens and answers 504"},
    {"create-504-lost", create, 1, "", "create does not happen and answers 504"},

    {"not-visible", instance, 1, "60", "the instance stays out of every list for VALUE seconds"},
    {"parked", instance, 1, "", "loads, then stays `created` with intended stopped; a start helps"},
    {"never-boots", instance, 1, "0",
     "loading for ever; after VALUE seconds (0: never) intended turns to stopped"},
    {"bad-image", instance, 1, "420", "manifest not found; after VALUE seconds intended turns to stopped"},
    {"bad-host", instance, 1, "oci", "stays `created`; status_msg says `oci`, `space`, `cdi` or `memory`"},
    {"slow-boot", instance, 1, "5", "loading takes VALUE times as long"},
    {"ssh-refused", instance, 1, "", "running with ports, and nothing listens"},
    {"ssh-no-banner", instance, 1, "", "running, TCP connects, and no SSH banner comes"},
    {"ssh-denied", instance, 1, "", "sshd answers and accepts no key"},
    {"proxy-only", instance, 1, "", "ports without 22/tcp: only the relay leads in"},
    {"outbid", instance, 1, "60:600",
     "AFTER:BACK seconds: exited while intended stays running, then back (BACK 0: never)"},
    {"offline", instance, 1, "60:600",
     "AFTER:BACK seconds: offline with stale ports, then back (BACK 0: never)"},
    {"key-lost", instance, 1, "3600",
     "VALUE seconds after sshd answers, it accepts no key until one is attached"},
    {"repricing", instance, 1, "1.25",
     "the instance costs VALUE times its offer, and a price increase is pending"},
    {"wrong-gpu", instance, 1, "NVIDIA H100 80GB HBM3", "nvidia-smi shows VALUE instead of what was sold"},
    {"end-date-soon", instance, 1, "600", "the host ends the contract VALUE seconds after its creation"},
    {"clock-skew", instance, 1, "7200",
     "the machine's clock is VALUE seconds ahead, behind where it is below 0; of a running one it jumps "
     "there"},
    {"full-price", instance, 1, "", "a bid is taken as a rental at the full price"},
    {"no-container-key", instance, 1, "", "the container is not told its own key"},
    {"bad-container-key", instance, 1, "", "the instance's own key answers 401 auth_error"},
    {"no-curl", instance, 1, "", "the machine has neither curl nor wget"},
    {"intruder", instance, 1, "", "whoever answers SSH shows another host key than the container's log"},

    {"start-refused", action, 0, "0",
     "start answers 200 resources_unavailable; granted after VALUE seconds (0: never)"},
    {"destroy-lag", action, 0, "60",
     "a destroyed instance stays listed, and bills storage, for VALUE seconds"},
    {"destroy-resurrects", action, 1, "20",
     "VALUE seconds after it vanished, a destroyed instance is back and bills"},
    {"logs-late", action, 0, "3", "the log's address answers 404 VALUE times first"},
    {"logs-never", action, 0, "", "the log's address answers 404 for ever"},
    {"logs-empty", action, 0, "", "the log holds nothing of what the machine printed"},
    {"logs-of-another", action, 0, "", "the log names host keys of another machine"},

    {"credit-out", account, 1, "0", "the credit becomes VALUE dollars at once; at 0 everything stops"},
    {"team-keys", account, 0, "", "adding an account key answers 400 team_ssh_keys_not_supported"},
});

const FaultInfo* find(std::string_view name) {
  const auto at = std::ranges::find(kFaults, name, &FaultInfo::name);
  return at == kFaults.end() ? nullptr : &*at;
}

Error unknown(const std::string& name) {
  std::vector<std::string> names;
  for (const FaultInfo& f : kFaults) names.emplace_back(f.name);
  return {.code = Code::invalid_argument,
          .what = "no fault is called " + clean_line(name, 60),
          .next_step = "use one of: " + join(names, ", ")};
}

bool fits(const ActiveFault& fault, std::string_view name, const Scope& at) {
  if (fault.info->name != name) return false;
  if (fault.instance && fault.instance != at.instance) return false;
  if (fault.machine && fault.machine != at.machine) return false;
  return fault.route.empty() || at.route.find(fault.route) != std::string::npos;
}

}  // namespace

const char* to_string(FaultKind kind) {
  switch (kind) {
    case FaultKind::request:
      return "request";
    case FaultKind::create:
      return "create";
    case FaultKind::instance:
      return "instance";
    case FaultKind::action:
      return "action";
    case FaultKind::account:
      return "account";
  }
  return "";
}

std::span<const FaultInfo> known_faults() { return kFaults; }

Result<ActiveFault> Faults::add(const std::string& words) {
  std::string name = words;
  std::optional<int> times;
  if (const auto star = name.rfind('*'); star != std::string::npos) {
    int n = 0;
    std::from_chars(name.data() + star + 1, name.data() + name.size(), n);
    times = std::max(0, n);
    name.resize(star);
  }
  std::optional<std::string> value;
  if (const auto equals = name.find('='); equals != std::string::npos) {
    value = name.substr(equals + 1);
    name.resize(equals);
  }
  const FaultInfo* info = find(name);
  if (!info) return fail(unknown(name));
  keep({info, value.value_or(std::string(info->usual_value)), times.value_or(info->times), {}, {}, ""});
  return active_.back();
}

Result<ActiveFault> Faults::read(const json& wanted) {
  const auto name = read_field<std::string>(wanted, "name");
  if (!name) return fail({.code = Code::invalid_argument, .what = "a fault needs a name"});
  const FaultInfo* info = find(*name);
  if (!info) return fail(unknown(*name));
  ActiveFault fault{info, std::string(info->usual_value), info->times, {}, {}, ""};
  if (const auto at = wanted.find("value"); at != wanted.end() && !at->is_null())
    fault.value = at->is_string() ? at->get<std::string>() : dump(*at);
  fault.instance = read_integer(wanted, "instance");
  fault.machine = read_integer(wanted, "machine");
  fault.route = read_field<std::string>(wanted, "route").value_or("");
  if (fault.machine) fault.left = 0;  // a bad host stays bad
  if (const auto times = read_integer(wanted, "times"))
    fault.left = static_cast<int>(std::clamp<std::int64_t>(*times, 0, 1'000'000));
  return fault;
}

bool Faults::remove(const std::string& name) {
  return std::erase_if(active_, [&](const ActiveFault& f) { return f.info->name == name; }) > 0;
}

std::optional<std::string> Faults::fire(std::string_view name, const Scope& at) {
  const auto found = std::ranges::find_if(active_, [&](const ActiveFault& f) { return fits(f, name, at); });
  if (found == active_.end()) return std::nullopt;
  std::string value = found->value;
  if (found->left > 0 && --found->left == 0) active_.erase(found);
  return value;
}

std::optional<std::string> Faults::peek(std::string_view name, const Scope& at) const {
  const auto found = std::ranges::find_if(active_, [&](const ActiveFault& f) { return fits(f, name, at); });
  return found == active_.end() ? std::nullopt : std::optional(found->value);
}

json Faults::list() const {
  json known = json::array();
  for (const FaultInfo& f : kFaults)
    known.push_back({{"name", f.name},
                     {"kind", to_string(f.kind)},
                     {"times", f.times},
                     {"value", f.usual_value},
                     {"what", f.what}});
  json active = json::array();
  for (const ActiveFault& f : active_)
    active.push_back({{"name", f.info->name},
                      {"value", f.value},
                      {"left", f.left},
                      {"instance", f.instance ? json(*f.instance) : json()},
                      {"machine", f.machine ? json(*f.machine) : json()},
                      {"route", f.route}});
  return {{"active", active}, {"known", known}};
}

}  // namespace vastgpu::sandbox
