#include "fleet/setup.h"

#include "core/files.h"
#include "core/text.h"
#include "fleet/guard.h"
#include "fleet/reach.h"
#include "fleet/record.h"

namespace vastgpu {
namespace {

constexpr auto kLook = std::chrono::seconds(3);
constexpr std::size_t kMaxRequirements = 1 << 20;
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
         "$PIP install -q " +
         pip_arguments +
         "\n"
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

}  // namespace

SyncRules default_sync_rules() {
  SyncRules rules;
  rules.include = {"*.py", "*.yaml", "*.yml", "*.json", "*.txt", "*.sh", "*.toml", "*.cfg", "*.ini", "*.md"};
  // Hidden files and the settings of assistants and editors hold keys (.mcp.json, .vscode/, .env): they never
  // travel.
  rules.exclude = {
      ".*",     "opencode.json*", "*.pem",    "*.key",        "*.pt",          "*.pth",
      "*.ckpt", "*.safetensors",  ".*/",      "__pycache__/", ".git/",         "data/",
      "wandb/", "outputs/",       "results/", "logs/",        "node_modules/", ".venv/",
      "venv/",  ".env",           ".claude/", ".aris/",       "refine-logs/",  "vast-instances.json*"};
  return rules;
}

Result<SetupOutcome> set_up(const Deps& d, Rental& rental, const Caller& caller) {
  if (rental.status != Status::ready)
    return fail({.code = Code::wrong_state,
                 .what = "instance " + (rental.instance ? to_string(*rental.instance) : rental.label) +
                         " is " + to_string(rental.status),
                 .next_step = "call rent with quote_id " + rental.quote_id + " until it is ready"});
  auto shell = reach(d, rental, caller.stop);
  if (!shell) return fail(std::move(shell).error());

  SetupOutcome out;
  caller.progress(0.1, "sending code to " + std::string(kRemoteProject));
  auto code = (*shell)->sync_up(
      rental.project, kRemoteProject, default_sync_rules(),
      [&](double f, const std::string& m) { caller.progress(0.1 + 0.3 * f, m); }, caller.stop);
  if (!code) return fail(std::move(code).error().during("sending the project"));
  out.code = *std::move(code);

  std::string arguments = kDefaultPackages;
  out.packages = "default packages (" + arguments + ")";
  auto requirements = read_file(std::filesystem::path(rental.project) / "requirements.txt", kMaxRequirements);
  if (requirements) {
    out.packages = "requirements.txt";
    arguments = "-r /workspace/requirements.txt";
    if (auto sent = (*shell)->put("/workspace/requirements.txt", *requirements, 0644, caller.stop); !sent)
      return fail(std::move(sent).error().during("sending requirements.txt"));
  } else if (requirements.error().code != Code::not_found) {
    return fail(std::move(requirements).error().during("reading requirements.txt"));
  }
  const std::string hash = sha256_hex(requirements ? *requirements : arguments).substr(0, 12);
  auto started = (*shell)->exec(install_script(hash, arguments), {}, caller.stop);
  if (!started) return fail(std::move(started).error().during("starting the installation"));

  for (;;) {
    auto look = (*shell)->exec(look_script(hash), {}, caller.stop);
    if (!look) return fail(std::move(look).error().during("watching the installation"));
    const auto end = look->out.find('\n');
    const std::string word(trim(look->out.substr(0, end)));
    out.log_tail = end == std::string::npos ? "" : clean(trim(look->out.substr(end + 1)), 1500);
    if (word == "0") break;
    if (word != "running") {
      out.state = SetupOutcome::State::failed;
      return out;
    }
    caller.progress(0.5, "installing " + out.packages);
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
