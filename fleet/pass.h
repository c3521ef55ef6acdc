#pragma once
// What one pass over everything of ours on the account found and did: a line each, and what a script may
// conclude. Plain values; any thread.

#include "fleet/reconcile.h"
#include "fleet/report.h"

namespace vastgpu {

struct PassLine {
  enum class Bill {
    none,     ///< gone: read back, or nothing was ever rented
    bills,    ///< certainly still there
    unknown,  ///< could not be found out
  };
  std::optional<InstanceId> instance;
  std::string label;
  std::string whose;  ///< to_string(LiveRow::Kind), or "unseen", "unsettled", "vanished"
  std::string gpu;
  Bill bill = Bill::unknown;
  std::string did;                         ///< for a person: what was done, or why it was left
  std::string next_step;                   ///< empty when nothing is left to do
  std::string lost;                        ///< what was given up with it; empty when nothing was
  std::vector<std::string> warnings = {};  ///< what somebody should know or do, beside next_step
  std::optional<Receipt> receipt;
  std::optional<CostReport> cost;
};

struct PassReport {
  std::vector<PassLine> ours;
  std::vector<PassLine> others;            ///< strangers, and rentals outside the scope: named, never touched
  std::vector<std::string> warnings = {};  ///< about the whole account
  std::string trouble;                     ///< why the whole account is not known; empty when it is
  bool refused = false;                    ///< because the marketplace does not take our key

  /// 0: nothing of ours bills; 1: something does; 2: could not be found out, and then never 0 or 1.
  int exit_code() const;
  /// The provider's figure where it has one, else our own count.
  Usd total() const;
};

json to_facts(const PassReport& report);
/// One line per rental, then the sum.
std::string to_words(const PassReport& report);

/// A line about a row of the live list, before anything is done.
PassLine line_of(const LiveRow& row);
PassLine line_of(const Rental& rental, std::string whose);

/// What another process works on, an API that does not answer, a ledger that cannot be read: none of these
/// says whether the machine bills. A refusal does: it was left as it was.
PassLine::Bill bill_after(const Error& e);

/// Runs `work(i)` for every i below `count`, on at most eight threads, and waits for all.
void side_by_side(std::size_t count, const std::function<void(std::size_t)>& work);

}  // namespace vastgpu
