#include "fleet/setup.h"

#include "core/files.h"
#include "core/text.h"
#include "fleet/guard.h"
#include "fleet/reach.h"
#include "fleet/record.h"
#include "fleet/requirements.h"

namespace vastgpu {
namespace {

constexpr auto kLook = std::chrono::seconds(3);
// However little time a caller has, each call brings some of it over.
constexpr auto kLeastSending = std::chrono::seconds(20);
constexpr const char* kDefaultPackages = "wandb tensorboard scipy scikit-learn pandas";

/// The installer still runs. After a restart of the container its number may belong to something else.
std::string alive(const std::string& hash) {
  return "{ p=$(cat setup." + hash +
         ".pid 2>/dev/null); [ -n \"$p\" ] && kill -0 $p 2>/dev/null && "
         "{ [ ! -r /proc/$p/cmdline ] || grep -q setup." +
         hash + " /proc/$p/cmdline; }; }";
}

/// Runs detached, so that a cut link or an impatient client does not stop it; a second start of the same list
/// is a no-op. Exit code 0 in setup.<hash>.exit means that this very list is installed.
std::string install_script(const std::string& hash, const std::string& pip_arguments) {
  return "mkdir -p /workspace/.vast-gpu && cd /workspace/.vast-gpu || exit 1\n"
         "done=setup." +
         hash + ".exit; pid=setup." + hash +
         ".pid\n"
         "if [ \"$(cat $done 2>/dev/null)\" = 0 ]; then exit 0; fi\n"
         "if " +
         alive(hash) +
         "; then exit 0; fi\n"
         "rm -f $done\n"
         "cat >setup." +
         hash +
         ".sh <<'SETUP'\n"
         "cd /workspace/.vast-gpu\n"
         "exec 9>setup.lock; flock 9 2>/dev/null\n"  // an older list may still be installing
         "PIP='python -m pip'; command -v python >/dev/null || PIP='python3 -m pip'\n"
         // What a list refers to (-r, -c, -e .) stands beside it.
         "(cd /workspace/project 2>/dev/null && [ -f requirements.txt ] || cd /workspace; "
         "exec $PIP install -q " +
         pip_arguments +
         ")\n"
         "code=$?; echo $code >$0.new && mv $0.new setup." +
         hash +
         ".exit; exit $code\n"
         "SETUP\n"
         "setsid bash -l setup." +
         hash +
         ".sh >setup.log 2>&1 </dev/null &\n"
         "echo $! >$pid\n";
}

std::string look_script(const std::string& hash) {
  return "cd /workspace/.vast-gpu && { cat setup." + hash + ".exit 2>/dev/null || { " + alive(hash) +
         " && echo running || { cat setup." + hash +
         ".exit 2>/dev/null || echo died; }; }; }; tail -c 1500 setup.log 2>/dev/null";
}

// A login shell finds the image's own Python (conda, /venv/main) where a bare exec may not.
constexpr const char* kTorchCheck =
    "cd /workspace/project 2>/dev/null || cd /workspace; bash -lc 'P=python; command -v python >/dev/null || "
    "P=python3; "
    "exec $P -c \"import torch; print(f\\\"PyTorch {torch.__version__}, CUDA: {torch.cuda.is_available()}, "
    "GPUs: {torch.cuda.device_count()}\\\")\"'";

/// Sends one part; complete or not, as far as time allows.
Result<SyncReport> send(Shell& shell, const UploadPart& part, const std::function<bool()>& enough,
                        double from, double to, const Caller& caller) {
  SyncRules rules = part.rules;
  rules.enough = enough;
  auto sent = shell.sync_up(
      part.local, part.remote, rules,
      [&](double f, const std::string& m) { caller.progress(from + (to - from) * f, part.name + ": " + m); },
      caller.stop);
  if (!sent) return fail(std::move(sent).error().during("sending " + clean_line(part.name)));
  return sent;
}

/// Starts the installation; its hash names it.
Result<std::string> start_installing(Shell& shell, const Rental& rental, SetupOutcome& out,
                                     const std::stop_token& stop) {
  auto requirements = read_requirements(rental.project);
  if (!requirements) return fail(std::move(requirements).error());
  std::string arguments = kDefaultPackages;
  out.packages = "default packages (" + arguments + ")";
  if (*requirements) {
    out.packages = "requirements.txt";
    arguments = "-r requirements.txt";
    // For other tools, and for a project whose rules keep it at home.
    if (auto sent = shell.put("/workspace/requirements.txt", (*requirements)->content, 0644, stop); !sent)
      return fail(std::move(sent).error().during("sending requirements.txt"));
  }
  const std::string hash = (*requirements ? (*requirements)->hash : sha256_hex(arguments)).substr(0, 12);
  auto started = shell.exec(install_script(hash, arguments), {}, stop);
  if (!started) return fail(std::move(started).error().during("starting the installation"));
  return hash;
}

}  // namespace

Result<SetupOutcome> set_up(const Deps& d, Rental& rental, const UploadRequest& request,
                            const Caller& caller) {
  if (rental.status != Status::ready)
    return fail({.code = Code::wrong_state,
                 .what = "instance " + (rental.instance ? to_string(*rental.instance) : rental.label) +
                         " is " + to_string(rental.status),
                 .next_step = "call rent with quote_id " + rental.quote_id + " until it is ready"});
  auto upload = plan_upload(rental.project, request, caller.stop);
  if (!upload) return fail(std::move(upload).error());
  if (auto noted = note_upload(d, rental.label, request); !noted) return fail(std::move(noted).error());
  auto shell = reach(d, rental, caller.stop);
  if (!shell) return fail(std::move(shell).error());

  SetupOutcome out;
  out.size = to_words(*upload);
  out.remarks = upload->remarks;
  caller.progress(0.1, "sending " + out.size);
  const TimePoint end = std::max(caller.until, d.clock.now() + kLeastSending);
  const auto enough = [&] { return d.clock.now() >= end; };
  auto code = send(**shell, upload->parts.front(), enough, 0.1, 0.3, caller);
  if (!code) return fail(std::move(code).error());
  out.code = *std::move(code);
  if (!out.code.complete) return out;

  const auto hash = start_installing(**shell, rental, out, caller.stop);  // while data travels
  if (!hash) return fail(hash.error());
  for (std::size_t i = 1; i < upload->parts.size(); ++i) {
    const UploadPart& part = upload->parts[i];
    const double step = 0.3 / static_cast<double>(upload->parts.size() - 1);
    const double from = 0.3 + step * static_cast<double>(i - 1);
    auto sent = send(**shell, part, enough, from, from + step, caller);
    if (!sent) return fail(std::move(sent).error());
    out.data.push_back({part.name, part.remote, *std::move(sent)});
    if (!out.data.back().report.complete) return out;
  }

  out.state = SetupOutcome::State::installing;
  for (;;) {
    auto look = (*shell)->exec(look_script(*hash), {}, caller.stop);
    if (!look) return fail(std::move(look).error().during("watching the installation"));
    const auto line = look->out.find('\n');
    const std::string word(trim(look->out.substr(0, line)));
    out.log_tail = line == std::string::npos ? "" : clean(trim(look->out.substr(line + 1)), 1500);
    if (word == "0") break;
    if (word != "running") {
      out.state = SetupOutcome::State::failed;
      return out;
    }
    caller.progress(0.7, "installing " + out.packages);
    if (d.clock.now() >= caller.until || !d.clock.sleep_for(kLook, caller.stop)) return out;
  }

  caller.progress(0.9, "checking torch and CUDA");
  auto torch = (*shell)->exec(kTorchCheck, {}, caller.stop);
  if (!torch) return fail(std::move(torch).error().during("checking torch"));
  out.torch = clean_line(torch->exit_code == 0 ? torch->out : "torch cannot be imported: " + torch->err, 300);
  out.cuda_works = torch->exit_code == 0 && torch->out.find("CUDA: True") != std::string::npos;
  out.state = SetupOutcome::State::ready;
  if (auto written = amend(d, rental, [&](Rental& now) { now.setup_done = d.clock.now(); }); !written)
    return fail(std::move(written).error());
  return out;
}

}  // namespace vastgpu
