#include "tools/discard_consent.h"

#include "core/text.h"
#include "remote/sha256.h"

namespace vastgpu {
namespace {

constexpr const char* kKey = "discard";

/// Work may be on it that is nowhere else. What nobody has looked into may hold some.
bool may_hold_results(const Rental& r) {
  return r.instance && (r.ready || r.adopted) &&
         (r.status == Status::ready || r.status == Status::stopped || r.status == Status::booting);
}

std::string lost_with(const Rental& r, const std::vector<Job>& jobs) {
  std::vector<std::string> experiments;
  for (const Job& job : jobs)
    if (experiments.size() < 10)
      experiments.push_back(clean_line(job.experiment, 64) + " (" + to_string(job.state) + ")");
  return text(
      "- instance ", r.instance->value, " (", clean_line(r.gpu_name, 60), "), ",
      r.collected ? "last brought home " + to_iso8601(*r.collected) : std::string("never brought home"),
      experiments.empty() ? "" : ": " + join(experiments, ", "), "\n");
}

/// The work that a yes is about: every experiment with its start. Another one is another question.
std::string work_on(const std::vector<Job>& jobs) {
  std::set<std::string> all;
  for (const Job& job : jobs) all.insert(text(job.experiment, " ", job.started.time_since_epoch().count()));
  Sha256 digest;
  for (const std::string& one : all) digest.add(one + "\n");
  return digest.end();
}

}  // namespace

Result<DiscardConsent> consent_to_discard(const Deps& d, const std::vector<Rental>& rentals, bool confirmed,
                                          NextCall again, const CallContext& call) {
  DiscardConsent consent;
  std::string lost;
  json ids = json::array(), work = json::object();
  const json asked = read_field<json>(call.ask_state, "work").value_or(json::object());
  const Said said_so = said(call, kKey);
  bool new_work = false;  // began after the question: nobody said yes to losing that
  const bool asks = said_so != Said::nothing || (!confirmed && can_ask(call.client));
  for (const Rental& r : rentals) {
    if (!r.instance) continue;
    const bool holds = may_hold_results(r);
    if (!holds || !asks) consent.agreed.insert(*r.instance);
    if (!holds || !asks) continue;
    const auto jobs = d.ledger.jobs(r.label);
    if (!jobs) return fail(jobs.error());
    const std::string key = to_string(*r.instance), now = work_on(*jobs);
    if (const auto then = read_field<std::string>(asked, key.c_str()); said_so == Said::yes && then) {
      if (*then == now) consent.agreed.insert(*r.instance);
      new_work |= *then != now;
    }
    ids.push_back(*r.instance);
    work[key] = now;
    lost += lost_with(r, *jobs);
  }
  if (ids.empty() || !asks || (said_so == Said::yes && !new_work)) return consent;

  const std::string machines = text(ids.size(), ids.size() == 1 ? " machine" : " machines");
  Envelope e;
  e.facts = {{"instances_asked_about", ids}};
  e.details = lost;
  json keep = again.arguments;
  keep.erase("discard_results");
  if (said_so == Said::no) {
    e.outcome = "declined";
    e.summary = "The user did not agree to lose the results of " + machines + "; nothing was destroyed.";
    e.next.push_back({again.tool, std::move(keep), "bring the results home first, then destroy"});
    return DiscardConsent{std::move(e)};
  }
  e.outcome = "approval_needed";
  e.summary = "Nothing was destroyed: the user has to agree first that the results of " + machines +
              " are lost for good. Ask, then call again with confirm_discard.";
  e.next.push_back({again.tool, std::move(keep), "bring the results home first, then destroy"});
  again.arguments["confirm_discard"] = true;
  again.why = "only after the user said yes to losing what is on " + machines;
  e.next.push_back(std::move(again));
  if (said_so == Said::unheard) return DiscardConsent{std::move(e)};
  e.asks.push_back(yes_or_no(kKey,
                             text(new_work ? "Work has begun since you were asked. " : "",
                                  "Destroy without bringing results home first? What is written there and "
                                  "not home yet is lost for good.\n") +
                                 lost,
                             "Yes, the results may be lost"));
  e.ask_state = {{"work", std::move(work)}};
  return DiscardConsent{std::move(e)};
}

}  // namespace vastgpu
