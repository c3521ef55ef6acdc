// Real machines, real sshd, the real ssh client.
#include "sandbox/machine.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iostream>
#include <sstream>
#include <thread>

#include "core/files.h"
#include "core/text.h"
#include "sandbox/relay.h"
#include "sandbox/stand_ins.h"
#include "tests/support/catch.h"
#include "tests/support/temp_folder.h"

using namespace vastgpu;
using namespace vastgpu::sandbox;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

struct Outcome {
  int code = -1;
  std::string out;  ///< both streams
};

Outcome run(const std::string& command) {
  Outcome outcome;
  FILE* pipe = ::popen(("exec 2>&1; " + command).c_str(), "r");
  if (!pipe) return outcome;
  std::array<char, 4096> buffer{};
  while (const std::size_t n = std::fread(buffer.data(), 1, buffer.size(), pipe))
    outcome.out.append(buffer.data(), n);
  const int status = ::pclose(pipe);
  outcome.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return outcome;
}

/// A key pair, and logins with it.
class Visitor {
 public:
  Visitor() { run("ssh-keygen -q -t ed25519 -N '' -f " + file()); }

  std::string public_key() const { return *read_file(file() + ".pub", 4096); }
  /// A login of its own.
  Outcome at(const std::string& address, std::uint16_t port, const std::string& command,
             const std::string& more = {}) const {
    return run(text("timeout 30 ssh -p ", port, options(), more, " root@", address, " ", shell_quote(command),
                    " < /dev/null"));
  }
  /// Quicker: over one connection, kept until the machine ends or nobody used it for a while.
  Outcome again_at(const std::string& address, std::uint16_t port, const std::string& command) const {
    return at(
        address, port, command,
        text(" -o ControlMaster=auto -o ControlPersist=5 -o ControlPath=", folder_.path().string(), "/%C"));
  }
  Outcome sftp(const MachineSpec& spec, const std::string& batch) const {
    return run(text("printf %s ", shell_quote(batch), " | timeout 30 sftp -q -b - -P ", spec.ssh_port,
                    options(), " root@", spec.listen_address));
  }

 private:
  std::string options() const {
    return text(" -i ", file(),
                " -o BatchMode=yes -o IdentitiesOnly=yes -o StrictHostKeyChecking=no"
                " -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR");
  }
  std::string file() const { return folder_.path() / "id"; }
  TempFolder folder_;
};

bool machines_work() {
  const auto why = machines_unavailable();
  if (why) std::cerr << "skipped: no machines here: " << *why << "\n";
  return !why;
}

MachineSpec spec_for(const Visitor& visitor) {
  static int made = 0;
  MachineSpec spec;
  spec.id = 7000 + ++made;
  spec.gpu_name = "NVIDIA GeForce RTX 4090";
  spec.listen_address =
      text("127.", 40 + ::getpid() % 180, ".", 1 + ::getpid() / 180 % 250, ".", made % 250 + 1);
  spec.authorized_keys = {visitor.public_key()};
  return spec;
}

/// A machine that answers, with its visitor.
struct Stage {
  explicit Stage(const std::function<void(MachineSpec&)>& change = [](MachineSpec&) {})
      : spec(spec_for(visitor)) {
    change(spec);
    auto made = Machine::create(folder.path() / "m", spec);
    REQUIRE(made);
    machine = *std::move(made);
    boot();
  }
  void boot() {
    const auto started = machine->start();
    if (!started) FAIL(started.error().what);
    const auto open = machine->open_ssh();
    if (!open) FAIL(open.error().what + machine->log());
  }
  Outcome in(const std::string& command) const {
    return visitor.again_at(spec.listen_address, spec.ssh_port, command);
  }
  Outcome login(const std::string& command) const {
    return visitor.at(spec.listen_address, spec.ssh_port, command);
  }

  TempFolder folder;
  Visitor visitor;
  MachineSpec spec;
  std::unique_ptr<Machine> machine;
};

bool soon(const std::function<bool()>& true_now) {
  for (const auto until = std::chrono::steady_clock::now() + 15s; std::chrono::steady_clock::now() < until;) {
    if (true_now()) return true;
    std::this_thread::sleep_for(5ms);
  }
  return false;
}

bool contains(const std::string& all, const std::string& part) { return all.find(part) != std::string::npos; }

/// Processes whose environment holds the mark.
int marked_processes(const std::string& mark) {
  int found = 0;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/proc", error)) {
    std::ifstream in(entry.path() / "environ");
    const std::string all((std::istreambuf_iterator<char>(in)), {});
    if (contains(all, mark)) ++found;
  }
  return found;
}

}  // namespace

TEST_CASE("a visitor with the right key finds a rented machine", "[machine]") {
  if (!machines_work()) return;
  const Stage stage([](MachineSpec& s) {
    s.num_gpus = 2;
    s.onstart = "echo onstart saw $CONTAINER_ID; echo from onstart > /root/told";
    s.env = {{"CONTAINER_ID", "8123"}, {"CONTAINER_API_KEY", "it's a $key"}};
  });

  SECTION("sold as described") {
    const auto smi =
        stage.in("nvidia-smi --query-gpu=index,name,memory.total,compute_cap --format=csv,noheader,nounits");
    CHECK(smi.out == "0, NVIDIA GeForce RTX 4090, 24564, 8.9\n1, NVIDIA GeForce RTX 4090, 24564, 8.9\n");
    CHECK(contains(stage.in("nvidia-smi").out, "3MiB /  24564MiB"));
    CHECK(contains(stage.in("nvidia-smi -L").out, "GPU 1: NVIDIA GeForce RTX 4090 (UUID: GPU-"));
    CHECK(stage.in("nvidia-smi --query-gpu=nonsense --format=csv").code == 2);
  }
  SECTION("with the container's variables where clients look for them") {
    const auto seen = stage.in("tr '\\0' '\\n' < /proc/1/environ");
    CHECK(contains(seen.out, "CONTAINER_ID=8123\n"));
    CHECK(contains(seen.out, "CONTAINER_API_KEY=it's a $key\n"));
    CHECK_FALSE(contains(stage.in("env").out, "CONTAINER_ID"));  // as on the real thing
    CHECK(soon([&] { return stage.in("cat /root/told").out == "from onstart\n"; }));
  }
  SECTION("with a log that shows onstart, and its host key where images have theirs") {
    CHECK(soon([&] { return contains(stage.machine->log(), "onstart saw 8123\n"); }));
    const auto scanned =
        run(text("ssh-keyscan -t ed25519 -p ", stage.spec.ssh_port, " ", stage.spec.listen_address,
                 " 2>/dev/null | ssh-keygen -lf - | cut -d' ' -f2"));
    CHECK(contains(stage.in("ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub").out,
                   std::string(trim(scanned.out))));
  }
  SECTION("whose root cannot touch the host") {
    CHECK(stage.in("touch /usr/mine").code != 0);
    CHECK(stage.in("mknod /tmp/disk b 254 0").code != 0);
    CHECK(stage.in("echo 1 > /proc/sys/kernel/panic").code != 0);
    CHECK(stage.in("mount -t tmpfs none /tmp").code != 0);
    CHECK(trim(stage.in("echo /home/* /var/lib/*").out) == "/home/* /var/lib/*");
  }
  SECTION("where scp-like tools and a terminal work") {
    CHECK(stage.in("tar -C /etc -cf - passwd | tar -tf -").out == "passwd\n");
    CHECK(stage.visitor.sftp(stage.spec, "mkdir /workspace/project\nput /etc/hostname /workspace/project/h\n")
              .code == 0);
    CHECK(stage.in("wc -l < /workspace/project/h").out == "1\n");
    CHECK(stage.visitor.at(stage.spec.listen_address, stage.spec.ssh_port, "tty", " -tt").out ==
          "/dev/pts/0\r\n");
  }
}

TEST_CASE("python on a machine has a torch that sees the GPUs", "[machine]") {
  if (!machines_work()) return;
  if (::access("/usr/bin/python3", X_OK) != 0) return;
  const Stage stage([](MachineSpec& s) {
    s.num_gpus = 2;
    s.torch_version = "2.4.1";
    s.cuda_version = "12.4";
    s.clock_speed = 1000;
  });

  CHECK(stage
            .in("python -c 'import torch; print(torch.__version__, torch.version.cuda, "
                "torch.cuda.is_available(), "
                "torch.cuda.device_count(), torch.cuda.get_device_name(0), "
                "torch.cuda.get_device_properties(0).total_memory >> 20)'")
            .out == "2.4.1 12.4 True 2 NVIDIA GeForce RTX 4090 24564\n");
  CHECK(stage.in("CUDA_VISIBLE_DEVICES=1 python3 -c 'import torch; print(torch.cuda.device_count())'").out ==
        "1\n");
  CHECK(stage
            .in("cd /workspace && python -c 'import torch; torch.manual_seed(1); torch.save({\"w\": [1]}, "
                "\"a.pt\"); "
                "print(torch.load(\"a.pt\"), torch.cuda.max_memory_allocated() > 0)'")
            .out == "{'w': [1]} True\n");

  SECTION("pip remembers what it was asked for") {
    CHECK(stage.in("python -c 'import wandb'").code == 1);
    CHECK(stage
              .in("printf 'wandb>=0.16  # runs\\nscikit-learn==1.4.2; python_version>\"3.8\"\\n\\n-r "
                  "more.txt\\n' > "
                  "/root/req.txt; echo 'pandas[plot]' > /root/more.txt; pip install -q -r /root/req.txt")
              .out.empty());
    CHECK(contains(stage.in("pip freeze").out, "scikit-learn==1.4.2\n"));
    CHECK(contains(stage.in("python -m pip show pandas").out, "Name: pandas\n"));
    CHECK(stage.in("python -c 'import wandb, sklearn, pandas, numpy; print(sklearn.__version__)'").out ==
          "1.4.2\n");
    CHECK(contains(stage.in("pip install wandb").out, "Requirement already satisfied: wandb"));
    const auto none = stage.in("pip install no-such-thing");
    CHECK(none.code == 1);
    CHECK(contains(none.out, "No matching distribution found for no-such-thing"));
    CHECK(stage.in("apt-get install -y -qq screen rsync").code == 0);
  }
  SECTION("memory is used while something trains, on the GPU it was given") {
    const std::string used =
        "nvidia-smi --query-gpu=memory.used --format=csv,noheader,nounits | tr '\\n' ' '";
    CHECK(stage.in(used).out == "3 3 ");
    stage.in(
        "CUDA_VISIBLE_DEVICES=1 setsid python -c 'import time; time.sleep(60)' > /dev/null 2>&1 & echo $! > "
        "/root/pid");
    CHECK(soon([&] { return stage.in(used).out == "3 14247 "; }));
    CHECK(contains(stage.in("nvidia-smi --query-compute-apps=pid,used_memory --format=csv,noheader").out,
                   ", 14247 MiB"));
    stage.in("kill $(nvidia-smi --query-compute-apps=pid --format=csv,noheader)");
    CHECK(soon([&] { return stage.in(used).out == "3 3 "; }));
  }
}

TEST_CASE("a job in a screen session outlives the login, and its words and exit code are seen", "[machine]") {
  if (!machines_work()) return;
  if (::access("/usr/bin/screen", X_OK) != 0) return;
  const Stage stage([](MachineSpec& s) { s.clock_speed = 100; });

  CHECK(stage
            .in("screen -dmS exp1 bash -c 'for i in 1 2 3; do echo step $i; sleep 5; done 2>&1 | tee "
                "/workspace/x.log; "
                "echo 7 > /workspace/code; exec sleep 100000'")
            .code == 0);
  CHECK(soon([&] { return stage.in("cat /workspace/code").out == "7\n"; }));
  CHECK(stage.in("cat /workspace/x.log").out == "step 1\nstep 2\nstep 3\n");
  CHECK(contains(stage.in("screen -ls").out, ".exp1\t"));
  CHECK(contains(stage.in("screen -S exp1 -X hardcopy /tmp/copy && sleep 20 && cat /tmp/copy").out,
                 "step 3\n"));
  CHECK(stage.in("screen -S exp1 -X quit").code == 0);
  CHECK(soon([&] { return contains(stage.in("screen -ls").out, "No Sockets"); }));
}

TEST_CASE("date and sleep follow the sandbox's clock, and a wrong clock is wrong", "[machine]") {
  if (!machines_work()) return;
  const double real =
      std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  const Stage stage([&](MachineSpec& s) {
    s.clock_speed = 300;
    s.clock_origin = real - 20;  // so the machine's now is 5,980 s ahead, and 1,000 more by its skew
    s.clock_skew_seconds = 1000;
  });
  const double there = std::stod(stage.in("date +%s").out);
  CHECK(there > real + 6980);
  CHECK(there < real + 6980 + 300 * 30);
  CHECK(stage.in("date -u -d @86400 +%FT%TZ").out == "1970-01-02T00:00:00Z\n");
  CHECK(stage
            .in("a=$(date +%s); b=$(date -d '2 hours ago' +%s); c=$((a - b)); [ $c -gt 6000 ] && [ $c -lt "
                "7300 ] && echo fine")
            .out == "fine\n");

  // Without the scale, 60 would be 18,000 seconds there.
  const auto slept = [&](const std::string& how) {
    return std::stod(
        stage.in("a=$(date +%s.%N); sleep " + how + "; b=$(date +%s.%N); awk \"BEGIN { print $b - $a }\"")
            .out);
  };
  for (const std::string how : {"60", "0.5m 30", "1m"}) {
    const double took = slept(how);
    CAPTURE(how, took);
    CHECK(took >= 60);
    CHECK(took < 1500);
  }
  CHECK(stage.in("sleep soon").code == 1);
}

TEST_CASE("only the attached keys open a machine", "[machine]") {
  if (!machines_work()) return;
  const Stage stage;
  const Visitor stranger;
  CHECK(stage.login("true").code == 0);
  CHECK(stranger.at(stage.spec.listen_address, stage.spec.ssh_port, "true").code == 255);

  REQUIRE(stage.machine->set_authorized_keys({stranger.public_key()}));
  CHECK(stranger.at(stage.spec.listen_address, stage.spec.ssh_port, "true").code == 0);
  CHECK(stage.login("true").code == 255);

  CHECK_FALSE(stage.machine->set_authorized_keys({stranger.public_key() + stage.visitor.public_key()}));
  CHECK(stage.login("true").code == 255);
}

TEST_CASE("a stopped machine keeps its disk and its host key, and nothing runs", "[machine]") {
  if (!machines_work()) return;
  const std::string mark = "VG_MARK=" + random_hex(8);
  Stage stage([&](MachineSpec& s) {
    s.onstart = "echo boot >> /workspace/boots; sleep 1000 & sleep 1000";
    s.env = {{"VG_MARK", mark.substr(8)}};
  });
  CHECK(soon([&] { return stage.in("cat /workspace/boots").out == "boot\n"; }));
  const auto key = [&] {
    return run(text("ssh-keyscan -t ed25519 -p 40022 ", stage.spec.listen_address, " 2>/dev/null")).out;
  };
  const std::string first_key = key();
  CHECK(contains(first_key, "ssh-ed25519"));
  CHECK(stage.in("head -c 3000000 /dev/zero > /workspace/model.pt; echo x > /tmp/gone").code == 0);
  CHECK(stage.machine->disk_used() >= 3'000'000);
  CHECK(stage.machine->disk_used() < 3'200'000);

  stage.machine->stop();
  CHECK_FALSE(stage.machine->running());
  CHECK(marked_processes(mark) == 0);
  CHECK(stage.login("true").code == 255);
  CHECK_FALSE(stage.machine->open_ssh());

  stage.boot();
  CHECK(stage.machine->running());
  CHECK(soon([&] { return stage.in("cat /workspace/boots").out == "boot\nboot\n"; }));
  CHECK(stage.in("stat -c %s /workspace/model.pt; ls /tmp").out == "3000000\n");
  CHECK(key() == first_key);

  stage.machine.reset();
  CHECK_FALSE(fs::exists(stage.folder.path() / "m"));
  CHECK(marked_processes(mark) == 0);
}

TEST_CASE("a machine whose first process ends is seen to have ended, and can start again", "[machine]") {
  if (!machines_work()) return;
  Stage stage;
  stage.in("kill -TERM 1");
  CHECK(soon([&] { return !stage.machine->running(); }));
  stage.boot();
  CHECK(stage.login("true").code == 0);
}

TEST_CASE("two machines share nothing but the network", "[machine]") {
  if (!machines_work()) return;
  const Stage a([](MachineSpec& s) { s.clock_speed = 1; });
  const Stage b([](MachineSpec& s) { s.num_gpus = 4; });
  a.in(
      "echo secret > /workspace/secret; echo secret > /tmp/secret; setsid /usr/bin/sleep 4321 > /dev/null "
      "2>&1 &");
  CHECK(contains(a.in("ps ax").out, "sleep 4321"));
  CHECK_FALSE(contains(b.in("ps ax").out, "sleep 4321"));
  CHECK(b.in("ls /workspace /tmp").out == "/tmp:\n\n/workspace:\n");
  CHECK(b.in("nvidia-smi -L | wc -l").out == "4\n");
  CHECK(a.in("hostname").out != b.in("hostname").out);
}

TEST_CASE("a noisy container's log stays bounded", "[machine]") {
  if (!machines_work()) return;
  const Stage stage([](MachineSpec& s) { s.onstart = "yes noise | head -c 5000000; echo; echo the end"; });
  CHECK(soon([&] { return stage.machine->log().ends_with("the end\n"); }));
  CHECK(stage.machine->log().size() <= 1'000'000);
}

TEST_CASE("when the sandbox is killed, its machines and their folders go with it", "[machine]") {
  if (!machines_work()) return;
  const TempFolder folder;
  const Visitor visitor;
  const fs::path state = folder.path() / "state";
  const std::string mark = "VG_MARK=" + random_hex(8);
  MachineSpec spec = spec_for(visitor);
  spec.env = {{"VG_MARK", mark.substr(8)}};
  spec.onstart = "setsid sleep 1000 & while :; do echo busy > /workspace/$RANDOM; sleep 0.01; done";
  const int death = GENERATE(SIGKILL, SIGTERM, SIGSEGV);
  CAPTURE(death);

  int ready[2];
  REQUIRE(::pipe(ready) == 0);
  const pid_t sandbox = ::fork();
  if (sandbox == 0) {
    ::signal(death, SIG_DFL);
    char word = 'n';
    std::unique_ptr<Machine> machine;
    if (start_janitor(state))
      if (auto made = Machine::create(state / "1", spec); made) {
        machine = *std::move(made);
        if (machine->start() && machine->open_ssh()) word = 'y';
      }
    if (::write(ready[1], &word, 1) != 1) _exit(1);
    while (true) ::pause();
  }
  ::close(ready[1]);
  char word = 0;
  REQUIRE(::read(ready[0], &word, 1) == 1);
  ::close(ready[0]);
  CHECK(word == 'y');
  CHECK(visitor.at(spec.listen_address, spec.ssh_port, "true").code == 0);
  CHECK(marked_processes(mark) >= 3);

  ::kill(sandbox, death);
  ::waitpid(sandbox, nullptr, 0);
  CHECK(soon([&] { return marked_processes(mark) == 0; }));
  CHECK(soon([&] { return !fs::exists(state); }));
  CHECK(visitor.at(spec.listen_address, spec.ssh_port, "true").code == 255);
}

TEST_CASE("many machines start at once", "[machine]") {
  if (!machines_work()) return;
  constexpr std::size_t kMany = 30;
  const TempFolder folder;
  const Visitor visitor;
  std::vector<std::unique_ptr<Machine>> machines(kMany);
  std::vector<MachineSpec> specs;
  for (std::size_t i = 0; i < kMany; ++i) specs.push_back(spec_for(visitor));
  std::atomic<int> up = 0;
  {
    std::vector<std::jthread> starters;
    for (std::size_t i = 0; i < kMany; ++i)
      starters.emplace_back([&, i] {
        auto made = Machine::create(folder.path() / std::to_string(i), specs[i]);
        if (!made) return;
        machines[i] = *std::move(made);
        if (machines[i]->start() && machines[i]->open_ssh()) ++up;
      });
  }
  CHECK(up == static_cast<int>(kMany));
  for (const std::size_t i : {std::size_t{0}, kMany - 1})
    CHECK(visitor.at(specs[i].listen_address, 40022, "hostname").out == text("c", specs[i].id, "\n"));
  {
    std::vector<std::jthread> enders;
    for (auto& machine : machines) enders.emplace_back([&] { machine.reset(); });
  }
  CHECK(fs::is_empty(folder.path()));
}

TEST_CASE("a machine that makes no sense is refused", "[machine]") {
  const TempFolder folder;
  const auto refused = [&](const std::function<void(MachineSpec&)>& change) {
    MachineSpec spec;
    spec.listen_address = "127.0.0.9";
    change(spec);
    const auto made = Machine::create(folder.path() / "m", spec);
    return !made && made.error().code == Code::invalid_argument;
  };
  CHECK(refused([](MachineSpec& s) { s.listen_address = "0.0.0.0"; }));
  CHECK(refused([](MachineSpec& s) { s.listen_address = "127.0.0.1\nPermitRootLogin yes"; }));
  CHECK(refused([](MachineSpec& s) { s.ssh_port = 0; }));
  CHECK(refused([](MachineSpec& s) { s.env = {{"A=B", "x"}}; }));
  folder.write("m/old", "x");
  CHECK(refused([](MachineSpec&) {}));
  CHECK(compute_capability("NVIDIA A100-SXM4-80GB") == "8.0");
  CHECK(compute_capability("NVIDIA H100 80GB HBM3") != "");
  CHECK(compute_capability("Voodoo 2") == "8.6");
}

TEST_CASE("the relay carries sessions to wherever it points", "[machine]") {
  if (!machines_work()) return;
  const Stage a, b;
  auto opened = Relay::open();
  REQUIRE(opened);
  Relay& relay = **opened;
  CHECK(a.visitor.at("127.0.0.1", relay.port(), "true").code == 255);  // nowhere yet

  relay.set_target(a.spec.listen_address, a.spec.ssh_port);
  CHECK(a.visitor.at("127.0.0.1", relay.port(), "hostname").out == text("c", a.spec.id, "\n"));
  relay.set_target(b.spec.listen_address, b.spec.ssh_port);
  CHECK(
      b.visitor.at("127.0.0.1", relay.port(), "head -c 20000000 /dev/zero | wc -c; cat /etc/hostname").out ==
      text("20000000\nc", b.spec.id, "\n"));
  CHECK(b.visitor.at("127.0.0.1", relay.port(), "head -c 20000000 /dev/zero").out.size() == 20'000'000);

  relay.close();
  relay.close();
  CHECK(b.visitor.at("127.0.0.1", relay.port(), "true").code == 255);
  const auto again = Relay::open(relay.port());
  REQUIRE(again);
  CHECK_FALSE(Relay::open(relay.port()));
}
