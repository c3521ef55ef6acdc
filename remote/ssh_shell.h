#pragma once
// A Shell over the sessions of one machine. One thread at a time. exec and put live here; sync_up.h and
// collect.h have the rest.

#include "remote/shell.h"
#include "remote/ssh_command.h"
#include "remote/ssh_link.h"

namespace vastgpu {

class SshShell : public Shell {
 public:
  SshShell(SshLink link, std::string fingerprint)
      : link_(std::move(link)), fingerprint_(std::move(fingerprint)) {}

  Result<ExecResult> exec(const std::string& command, const ExecOptions& options,
                          std::stop_token stop) override;
  Result<SyncReport> sync_up(const std::filesystem::path& local, const std::string& remote,
                             const SyncRules& rules, const ProgressFn& progress,
                             std::stop_token stop) override;
  Result<void> put(const std::string& remote_path, const std::string& content, unsigned mode,
                   std::stop_token stop) override;
  using Shell::collect;
  Result<Receipt> collect(const std::vector<CollectSource>& sources, const CollectOptions& options,
                          const ProgressFn& progress, std::stop_token stop) override;
  std::string host_key_fingerprint() const override { return fingerprint_; }
  Result<std::string> host_public_key(std::stop_token stop) override;
  SshLink* link() override { return &link_; }

 private:
  Result<ExecResult> run(const std::string& command, std::string_view input, std::size_t max_output,
                         Patience& patience);
  SshLink link_;
  const std::string fingerprint_;
};

/// Runs one command to its end. What Shell::exec does, for the other files here.
Result<ExecResult> run_command(SshSession& session, const std::string& command, std::string_view input,
                               std::size_t max_output, Patience& patience);

}  // namespace vastgpu
