#pragma once
// What the machine already has of a tree. It keeps the list of names that we sent it last, so that usually a
// hash goes up and one word comes back: 2,000 names would cost three round trips by their size alone.
// One thread per session.

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "remote/local_tree.h"
#include "remote/machine_tools.h"
#include "remote/ssh_command.h"

namespace vastgpu {

/// A folder on the machine and the place of our notes about it.
struct SyncPlace {
  std::string folder;
  std::string notes;  ///< path without its ending: ".names" what we ask about, ".placed" what we put there
};
SyncPlace sync_place(const std::string& folder, const SyncRules& rules);

struct MachineView {
  enum class State : unsigned char { unknown, missing, other_mode, there };

  Packing packing = Packing::none;
  std::optional<std::uint64_t> free;            ///< bytes on its disk
  bool names_known = false;                     ///< its list of names is ours of today
  std::size_t to_delete = 0;                    ///< asked for by SyncRules::delete_extra, when names_known
  std::map<std::string, std::string> journals;  ///< of unfinished large files, by key (remote/piece_plan.h)
  std::vector<State> files;                     ///< one for each of the tree's
  /// Where nothing was there: the same command goes on as `receiver`, which packs out by `packing`, once it
  /// was sent a line; without one it leaves no trace. Its session must not be left before it.
  std::unique_ptr<SshCommand> waiting;
};

/// One round trip.
/// @param receiver  shell that takes a stream where nothing is there yet, with $U as its unpacking program;
///                  empty: none
Result<MachineView> ask_machine(SshSession& session, const SyncPlace& place, const LocalTree& tree,
                                const SyncRules& rules, const std::string& receiver, std::stop_token stop);

/// One more, which sends names: settles every State::unknown.
Result<void> ask_unknown(SshSession& session, const SyncPlace& place, const LocalTree& tree,
                         MachineView& view, std::stop_token stop);

/// "./a\0./b\0", as the machine keeps it.
std::string names_of(const LocalTree& tree);

/// Shell: the program that packs or unpacks stdin; "cat" for Packing::none.
const char* pack_program(Packing packing);
const char* unpack_program(Packing packing);

}  // namespace vastgpu
