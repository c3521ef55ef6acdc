#pragma once
// The ledger against the live list: what is ours, what vanished, what is strange. Repairs what is certain and
// names the rest. A failed or short listing is an error, never "nothing left".

#include "fleet/deps.h"

namespace vastgpu {

struct LiveRow {
  enum class Kind {
    ours,      ///< in the ledger
    adopted,   ///< found by the label of an unsettled intent just now: the answer to its create was lost
    returned,  ///< ours, seen as gone before, and listed again: it bills
    orphan,    ///< carries a label like ours and was not in this ledger: adopted just now
    stranger,  ///< not ours; never touched
  };
  Kind kind = Kind::stranger;
  Instance instance;
  std::optional<Rental> rental;
};
const char* to_string(LiveRow::Kind kind);

struct Reconciled {
  std::vector<LiveRow> live;
  std::vector<Rental> vanished;  ///< open until now, confirmed gone just now
  std::vector<Rental>
      unseen;  ///< ours and not listed, but too young, or known when asked for by id: they bill
  std::vector<Rental> unsettled;  ///< a create whose outcome is not known yet
};

/// @error as Market::instances, during "listing instances"
Result<Reconciled> reconcile(const Deps& d, std::stop_token stop);

/// Whether a label has the form that we give.
bool is_our_label(std::string_view label);
/// "vg-<project folder>-<random>"
std::string new_label(const std::filesystem::path& project);

}  // namespace vastgpu
