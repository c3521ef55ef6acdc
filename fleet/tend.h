#pragma once
// What the steps of one pass share: the rental under work with its line of the report, the terms of the pass,
// and the ways in which a step can leave it. One thread at a time per rental; any number side by side.

#include "fleet/pass.h"

namespace vastgpu {

/// One rental of ours, while a pass sees to it.
struct Tended {
  PassLine line;
  Rental rental;
  std::optional<Instance> row;  ///< of the live list; absent when it is not listed
};

struct PassTerms {
  Duration patience{};       ///< for a rental that another call works on, and for an end
  Duration look_every{};     ///< how old a look into a running machine may be; 0: look now
  bool collect_now = false;  ///< the credit runs out: bring results home while the machines still run
  std::stop_token stop = {};
  /// How long one transfer may hold the pass up, since others wait for it; the next pass goes on where it
  /// was.
  std::optional<Duration> transfer_limit = {};

  Caller caller(const Deps& d) const { return {stop, d.clock.now() + patience}; }
};

/// It bills on, and why.
void left(PassLine& line, std::string did, std::string next_step);
/// What could not be done. Whether it bills is read off the error.
void failed(PassLine& line, const Error& e);

/// Results home, receipt, destroyed, read back; `stop_running`: experiments that still run are stopped first.
/// False when it is still there: the line says why.
bool end_rental(const Deps& d, const PassTerms& terms, Tended& it, const std::string& why,
                bool stop_running = false);

/// Asks the marketplace to stop it: the GPU bill ends, the disk stays. Not where its lease moved meanwhile.
void stop_rental(const Deps& d, const PassTerms& terms, Tended& it, const std::string& why,
                 const std::string& said);

/// The user's "no" counts wherever it stands: with the experiment, or in the project now. A canary has
/// no say.
bool may_destroy(const Rental& rental, const std::vector<Job>& jobs);

/// The last event of a kind; absent when there is none.
const LedgerEvent* last_event(const std::vector<LedgerEvent>& events, std::string_view kind);

}  // namespace vastgpu
