#include "remote/ssh_shell.h"

#include "core/crash_point.h"
#include "core/text.h"
#include "remote/collect.h"
#include "remote/ssh_wire.h"
#include "remote/sync_up.h"

namespace vastgpu {
namespace {

constexpr std::chrono::seconds kPutLimit{60};

std::string octal(unsigned mode) {
  char digits[16];
  std::snprintf(digits, sizeof digits, "%04o", mode & 07777u);
  return digits;
}

}  // namespace

Result<ExecResult> run_command(SshSession& session, const std::string& command, std::string_view input,
                               std::size_t max_output, Patience& patience) {
  const CrashPoints crash("ssh");
  auto running = SshCommand::start(session, command, SshCommand::Output::kept, max_output, patience);
  if (!running) return fail(std::move(running).error());
  (*running)->send_meanwhile(input);
  auto code = (*running)->finish(patience);
  if (!code) return fail(std::move(code).error());
  return ExecResult{*code, std::move((*running)->out), std::move((*running)->err), (*running)->truncated};
}

/// A session that turns out to be dead before anything was asked of the machine is replaced once; after that
/// nothing is repeated, since nobody knows what became of it.
Result<ExecResult> SshShell::run(const std::string& command, std::string_view input, std::size_t max_output,
                                 Patience& patience) {
  for (bool again = false;; again = true) {
    auto session = link_.session(patience);
    if (!session) return fail(std::move(session).error());
    auto done = run_command(**session, command, input, max_output, patience);
    if (done || again || done.error().effect != Effect::none || !(*session)->broken()) return done;
  }
}

Result<ExecResult> SshShell::exec(const std::string& command, const ExecOptions& options,
                                  std::stop_token stop) {
  Patience patience(options.limit, std::move(stop));
  return run(command, options.input, options.max_output, patience);
}

Result<std::string> SshShell::host_public_key(std::stop_token stop) {
  Patience patience(std::chrono::seconds(20), std::move(stop));
  auto session = link_.session(patience);
  if (!session) return fail(std::move(session).error());
  std::size_t size = 0;
  int kind = 0;
  const char* blob = ::libssh2_session_hostkey((*session)->raw(), &size, &kind);
  const auto type = blob == nullptr ? std::nullopt : WireReader({blob, size}).string();
  if (!type || clean_line(*type, 100) != *type)
    return fail((*session)->broke("reading the machine's host key"));
  return std::string(*type) + " " + to_base64({blob, size});
}

Result<void> SshShell::put(const std::string& remote_path, const std::string& content, unsigned mode,
                           std::stop_token stop) {
  const auto slash = remote_path.rfind('/');
  if (remote_path.empty() || slash == remote_path.size() - 1 || remote_path.find('\0') != std::string::npos)
    return fail({.code = Code::invalid_argument,
                 .what = "'" + clean_line(remote_path) + "' is not the path of a file",
                 .next_step = "name a file"});
  const std::string folder = slash == std::string::npos ? "." : remote_path.substr(0, slash + 1);
  const std::string whole = slash == std::string::npos ? "./" + remote_path : remote_path;
  // The size is compared, since cat takes a link that died for the end of its input.
  const std::string script =
      text("F=", shell_quote(whole), "; T=", shell_quote(folder + "/.vast-gpu-put-" + random_hex(8)), "\n",
           "mkdir -p -- ", shell_quote(folder), " || exit 1\n", "trap 'rm -f -- \"$T\"' EXIT\n",
           "(umask 077; cat > \"$T\") && [ \"$(wc -c < \"$T\")\" -eq ", content.size(), " ] && chmod ",
           octal(mode), " -- \"$T\" && mv -fT -- \"$T\" \"$F\"");
  Patience patience(kPutLimit, std::move(stop), Patience::Kind::idle);
  auto done = run(script, content, 4096, patience);
  if (!done) return fail(std::move(done).error().during("writing " + clean_line(remote_path)));
  if (done->exit_code != 0)
    return fail({.code = Code::wrong_state,
                 .what = "the machine cannot write " + clean_line(remote_path) + ": " + clean_line(done->err),
                 .next_step = "check the free disk space and the path on the machine"});
  return {};
}

Result<SyncReport> SshShell::sync_up(const std::filesystem::path& local, const std::string& remote,
                                     const SyncRules& rules, const ProgressFn& progress,
                                     std::stop_token stop) {
  const CrashPoints crash("ssh");
  return send_tree(link_, local, remote, rules, progress, std::move(stop));
}

Result<Receipt> SshShell::collect(const std::vector<CollectSource>& sources, const CollectOptions& options,
                                  const ProgressFn& progress, std::stop_token stop) {
  const CrashPoints crash("ssh");
  return collect_files(link_, sources, options, progress, std::move(stop));
}

}  // namespace vastgpu
