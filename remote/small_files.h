#pragma once
// Files that travel in one tar stream, and the notes about them. One thread per link.

#include <vector>

#include "remote/machine_view.h"
#include "remote/ssh_link.h"
#include "remote/upload_meter.h"

namespace vastgpu {

struct SmallPlan {
  bool far = false;                     ///< a round trip is long: packing harder pays
  std::vector<const LocalFile*> files;  ///< to be sent whole
  std::vector<const LocalFile*> modes;  ///< there, but with another mode
  bool delete_extra = false;
  std::function<bool()> enough = {};  ///< as SyncRules
};

/// Shell that takes such a stream; `unpack`: its unpacking program, or "$U".
std::string receiver(const SyncPlace& place, const std::string& unpack, bool delete_extra);

/// Sends, sets modes, keeps the notes, deletes. In tars of a size that a cut link does not make endless; each
/// tar's files get their names when all of it arrived. Files that change while they are read do not.
/// @param waiting  a command of the link's session that waits as receiver(), for streams packed by `packing`;
///                 or null
/// @error wrong_state  the machine cannot store them
Result<void> send_small(SshLink& link, const SyncPlace& place, const LocalTree& tree, const SmallPlan& plan,
                        Packing packing, std::unique_ptr<SshCommand> waiting, UploadMeter& meter,
                        const std::stop_token& stop, SyncReport& report);

}  // namespace vastgpu
