#pragma once
// Which of the listed files come home, by pattern and by name, and in which order. Pure functions; any
// thread.

#include <optional>
#include <string_view>

#include "remote/findings.h"
#include "remote/remote_listing.h"

namespace vastgpu {

/// One file that is to come home.
struct Wanted {
  std::size_t source = 0;
  std::string remote;  ///< absolute
  RemoteEntry entry = {};
  std::string sha256 = {};  ///< set once both sides agree
  bool at_home = false;
  bool named = false;    ///< it does not come home in this call, and the findings say why
  bool moved = false;    ///< it changed on the machine after it was fetched
  bool relied = false;   ///< ReceiptFile::relied
  bool fetched = false;  ///< it travelled in this call
  bool looked = false;   ///< after that, and nothing travelled later
  std::uint64_t resumed = 0;
  std::string note = {};
  std::string home = {};     ///< where it goes, below the local folder
  bool found = false;        ///< ReceiptFile::found
  std::string refusal = {};  ///< why it may not land, unless it is at home already
};

std::string absolute_path(const CollectSource& source, const std::string& path);

/// Why no file from a machine may have this name among the user's own files: it steers assistants or
/// programs there, or is taken for a secret. ".hydra" is what Hydra writes beside each run.
std::optional<std::string> objection_among_own(std::string_view path);

/// Everything else is refused or left out, and said in `findings`.
std::vector<Wanted> choose(const std::vector<CollectSource>& sources, const RemoteListing& listing,
                           const CollectOptions& options, Findings& findings);

/// The newest checkpoint, other results, older checkpoints from the newest to the oldest; each from small to
/// large. Pointers into `wanted`; no group is empty.
std::vector<std::vector<Wanted*>> in_order(std::vector<Wanted*> wanted);

}  // namespace vastgpu
