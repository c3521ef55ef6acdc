#include "fleet/reap.h"

#include <algorithm>

#include "core/log.h"
#include "core/text.h"
#include "fleet/adopt.h"
#include "fleet/go_on.h"
#include "fleet/layers.h"
#include "fleet/see_to.h"

namespace vastgpu {
namespace {

// A list that leaves out a contract older than this hides others, too.
constexpr auto kMayBeInvisible = std::chrono::seconds(60);
constexpr auto kMayBeSlow = std::chrono::minutes(5);
// Files that are home by then do not travel again.
constexpr auto kLongestTransfer = std::chrono::minutes(20);
// At zero credit the marketplace stops everything, and deletes it later.
constexpr Hours kCreditLasts{1};

/// What is gone with a machine that the marketplace took away.
std::string lost_with(const Deps& d, const Rental& rental) {
  if (!rental.ready) return {};  // nobody could ever work on it
  std::vector<std::string> experiments;
  if (auto jobs = d.ledger.jobs(rental.label); jobs)
    for (const Job& j : *jobs) experiments.push_back(j.experiment);
  if (experiments.empty() && rental.collected) return {};
  return "results and logs" + (experiments.empty() ? " that were on it" : " of " + join(experiments, ", ")) +
         (rental.collected ? " since " + to_iso8601(*rental.collected) + " (what came home before stays)"
                           : "");
}

/// Everything of ours that may bill, and the others by name.
std::vector<Tended> sort_out(const Deps& d, const ReapRequest& request, const Reconciled& seen,
                             const std::stop_token& stop, PassReport& out) {
  std::vector<Tended> todo;
  const auto in_scope = [&](const Rental& r) {
    return request.project.empty() || r.project == request.project.string();
  };
  const auto other = [&](PassLine line, std::string why) {
    line.did = std::move(why);
    out.others.push_back(std::move(line));
  };
  const std::string ours_here = "vg-" + plain_name(request.project.filename().string()).substr(0, 32) + "-";
  for (const LiveRow& row : seen.live) {
    PassLine line = line_of(row);
    if (row.kind == LiveRow::Kind::stranger) {
      other(std::move(line), "not ours, not touched");
    } else if (row.rental) {
      Rental rental = *row.rental;
      const bool homeless = is_homeless(d, rental);
      if (homeless && !request.project.empty() && row.instance.label.starts_with(ours_here))
        if (auto given = give_project(d, rental, request.project); !given)
          log_fact("adopted label=", rental.label, " ", given.error().what);
      if (in_scope(rental))
        todo.push_back({std::move(line), rental, row.instance});
      else
        other(std::move(line), homeless ? "carries our label, of an unknown project; not touched"
                                        : "of project " + rental.project + ", not touched");
    } else {
      auto rental = adopt_orphan(d, row.instance, request.project, {stop, d.clock.now() + request.patience});
      if (rental) {
        line.label = rental->label;
        todo.push_back({std::move(line), *std::move(rental), row.instance});
      } else {
        line.bill = PassLine::Bill::unknown;
        line.did = rental.error().what;
        out.ours.push_back(std::move(line));
      }
    }
  }
  for (const Rental& r : seen.unseen) {
    if (!in_scope(r)) continue;
    PassLine line = line_of(r, "unseen");
    if (r.status == Status::destroying) {
      todo.push_back({std::move(line), r, std::nullopt});
      continue;
    }
    // The answer to a slow create is minutes younger than its intent (fleet/reconcile.cpp).
    const bool young =
        d.clock.now() - r.created <= (r.ready ? Duration(kMayBeInvisible) : Duration(kMayBeSlow));
    line.bill = young ? PassLine::Bill::bills : PassLine::Bill::unknown;
    line.did = young ? "too new to be listed for certain"
                     : "exists when asked for by id, but the list leaves it out";
    line.next_step = "run vast-gpu reap again";
    out.ours.push_back(std::move(line));
  }
  for (const Rental& r : seen.unsettled) {
    if (!in_scope(r)) continue;
    PassLine line = line_of(r, "unsettled");
    line.did = "its create got no answer; its label settles it within minutes";
    line.next_step = "run vast-gpu reap again";
    out.ours.push_back(std::move(line));
  }
  for (const Rental& r : seen.vanished) {
    if (!in_scope(r)) continue;
    PassLine line = line_of(r, "vanished");
    line.bill = PassLine::Bill::none;
    line.did =
        r.instance ? "no longer listed by the marketplace" : "never rented: its label appeared nowhere";
    line.lost = lost_with(d, r);
    line.cost = report(d, r, stop);
    out.ours.push_back(std::move(line));
  }
  return todo;
}

/// Whether the account pays for the next hour of everything that bills; if not, results come home now.
void watch_credit(const Deps& d, const Reconciled& seen, PassTerms& terms, PassReport& out) {
  UsdPerHour rate;
  bool runs = false;
  for (const LiveRow& row : seen.live) {  // strangers draw from the same credit
    const bool up = row.instance.actual_status == "running";
    rate += up ? row.instance.price : row.instance.storage_price;
    runs |= up && row.rental.has_value();
  }
  if (!runs) return;
  auto account = d.market.account(terms.stop);
  if (!account) {
    out.warnings.push_back("the account's credit could not be read: " + account.error().what);
    return;
  }
  const bool low = account->credit < rate * kCreditLasts;
  const std::string words = "CREDIT IS RUNNING OUT: the account has " + money(account->credit) +
                            ", and what is rented costs " + money(rate) +
                            "; at zero everything stops and is deleted later: add credit now";
  terms.collect_now = low;
  if (low) out.warnings.push_back(words);
  auto events = d.ledger.events("");
  if (!events) return;
  const LedgerEvent* last = last_event(*events, kCreditEvent);
  const bool was_low = last != nullptr && read_field<bool>(last->detail, "low").value_or(false);
  if (low != was_low)
    (void)d.ledger.add_event({d.clock.now(),
                              kCreditEvent,
                              "",
                              {{"low", low}, {"credit_usd", account->credit}, {"usd_per_hour", rate}}});
}

/// What goes on is counted by ourselves: the provider posts late.
CostReport so_far(const Rental& rental, TimePoint now) {
  CostReport cost;
  cost.rental = rental;
  cost.ours = cost_so_far(rental, now);
  cost.charges_note = "so far";
  return cost;
}

}  // namespace

PassReport reap(const Deps& d, const ReapRequest& request, std::stop_token stop) {
  PassReport out;
  const TimePoint began = d.clock.now();
  const auto report_keeper = [&](const std::string& label, const std::string& did) {
    if (auto noted = d.ledger.note_layer({label, kKeeperLayer, began, clean_line(did, 200)}); !noted)
      out.warnings.push_back(noted.error().what);
  };
  auto seen = reconcile(d, stop);
  if (!seen) {
    out.trouble = seen.error().what + (seen.error().next_step.empty() ? "" : "; " + seen.error().next_step);
    out.refused = seen.error().code == Code::unauthenticated;
    return out;  // and leaves no sign of life: a keeper that can see nothing keeps nothing
  }
  PassTerms terms{request.patience, request.look_every, false, stop};
  auto todo = sort_out(d, request, *seen, stop, out);
  if (todo.size() > 1) terms.transfer_limit = kLongestTransfer;
  if (!todo.empty()) watch_credit(d, *seen, terms, out);
  side_by_side(todo.size(), [&](std::size_t i) {
    see_to(d, terms, todo[i]);
    if (!todo[i].line.cost) todo[i].line.cost = so_far(todo[i].rental, d.clock.now());
  });
  go_on_elsewhere(d, request, stop, out);
  for (Tended& it : todo) {
    report_keeper(it.line.label, it.line.did);
    out.ours.push_back(std::move(it.line));
  }
  if (request.project.empty()) {
    report_keeper("", text("saw to ", todo.size(), " rentals"));
    if (auto settled = settle_charges(d, stop); !settled)
      log_fact("charges ", settled.error().what);  // the next pass reads them
  }
  if (stop.stop_requested()) out.trouble = "stopped before the end";
  return out;
}

}  // namespace vastgpu
