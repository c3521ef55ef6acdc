#include "sandbox/machine_root.h"

#include <unistd.h>

#include <array>
#include <fstream>
#include <string_view>

#include "core/files.h"
#include "core/text.h"
#include "sandbox/stand_ins.h"

namespace vastgpu::sandbox {
namespace {

namespace fs = std::filesystem;
using Kind = MountStep::Kind;

constexpr std::string_view kPath =
    "/opt/fake/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

// Links on a host with a merged /usr, folders elsewhere.
constexpr std::array kSystemFolders = {"bin", "sbin", "lib", "lib32", "lib64", "libx32"};
// Parts of the host's /etc without which its programs do not run, or cannot reach the network.
constexpr std::array kSharedEtc = {"ld.so.cache",     "ld.so.conf",      "ld.so.conf.d", "alternatives",
                                   "ssl/certs",       "ssl/openssl.cnf", "pki",          "terminfo",
                                   "crypto-policies", "services",        "protocols",    "resolv.conf"};
constexpr std::array kDevices = {"null", "zero", "full", "random", "urandom", "tty"};

bool put(const fs::path& path, std::string_view content, bool program = false) {
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  std::ofstream out(path, std::ios::binary);
  out << content;
  out.close();
  if (program) fs::permissions(path, fs::perms{0755}, error);
  return out.good() && !error;
}

/// A mount point of the same kind as what will be mounted.
void mount_point(const fs::path& from, const fs::path& at) {
  std::error_code ignored;
  if (fs::is_directory(from, ignored)) {
    fs::create_directories(at, ignored);
  } else {
    put(at, "");
  }
}

}  // namespace

std::string sshd_config(const MachineSpec& spec) {
  return text("Port ", spec.ssh_port, "\nListenAddress ", spec.listen_address, "\nHostKey /etc/ssh/",
              spec.intruder ? "intruder_key" : "ssh_host_ed25519_key",
              "\n"
              "AuthorizedKeysFile /etc/ssh/authorized_keys\n"
              "PermitRootLogin prohibit-password\n"
              "PasswordAuthentication no\n"
              "KbdInteractiveAuthentication no\n"
              "UsePAM no\n"
              "StrictModes no\n"
              "UseDNS no\n"
              "PidFile none\n"
              "PrintMotd no\n"
              "PrintLastLog no\n"
              "LogLevel ERROR\n"
              // No post-quantum exchange: on loopback it guards nothing and costs 80 ms a login.
              "KexAlgorithms curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp256,"
              "diffie-hellman-group14-sha256\n"
              "MaxStartups 200:30:400\n"
              "MaxSessions 100\n"
              "Subsystem sftp internal-sftp\n"
              "SetEnv PATH=",
              kPath, "\n");
}

std::optional<fs::path> host_program(const std::string& name) {
  for (const char* folder : {"/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"})
    if (const fs::path at = fs::path(folder) / name; ::access(at.c_str(), X_OK) == 0) return at;
  return std::nullopt;
}

std::optional<fs::path> host_python() {
  for (const char* at : {"/usr/bin/python3", "/usr/local/bin/python3"}) {
    std::error_code error;
    const auto real = fs::canonical(at, error);
    if (!error && real.string().starts_with("/usr/") && ::access(real.c_str(), X_OK) == 0) return at;
  }
  return std::nullopt;
}

Result<void> build_root(const fs::path& root, const MachineSpec& spec) {
  std::error_code error;
  bool fine = true;
  for (const char* folder :
       {"dev/pts", "dev/shm", "etc/ssh", "opt/fake/bin", "opt/fake/lib", "opt/fake/site", "proc", "root",
        "run", "sys", "tmp", "usr", "var/lib", "var/log", "var/cache", "workspace"})
    fine = (fs::create_directories(root / folder, error) || !error) && fine;
  for (const char* folder : {"root", "opt", "etc", ""})
    fs::permissions(root / folder, fs::perms{0755}, error);
  for (const char* folder : kSystemFolders) {
    const fs::path host = fs::path("/") / folder;
    if (fs::is_symlink(host, error)) {
      fs::create_symlink(fs::read_symlink(host, error), root / folder, error);
    } else if (fs::is_directory(host, error)) {
      fs::create_directories(root / folder, error);
    }
  }
  fs::create_symlink("/run", root / "var/run", error);
  fs::create_symlink("/run/lock", root / "var/lock", error);
  fs::create_symlink("/tmp", root / "var/tmp", error);
  fs::create_symlink("pts/ptmx", root / "dev/ptmx", error);
  fs::create_symlink("/proc/self/fd", root / "dev/fd", error);
  fs::create_symlink("/proc/self/fd/0", root / "dev/stdin", error);
  fs::create_symlink("/proc/self/fd/1", root / "dev/stdout", error);
  fs::create_symlink("/proc/self/fd/2", root / "dev/stderr", error);
  fs::create_symlink("/proc/self/mounts", root / "etc/mtab", error);
  for (const char* device : kDevices) fine = put(root / "dev" / device, "") && fine;
  for (const char* name : kSharedEtc)
    if (const fs::path host = fs::path("/etc") / name; fs::exists(host, error))
      mount_point(host, root / "etc" / name);
  for (const char* name : {"localtime", "os-release"})
    if (const fs::path host = fs::path("/etc") / name; fs::is_symlink(host, error))
      fs::create_symlink(fs::read_symlink(host, error), root / "etc" / name, error);

  const char* shell = ::access("/bin/bash", X_OK) == 0 ? "/bin/bash" : "/bin/sh";
  const std::string host_name = text("c", spec.id);
  for (const auto& [name, content] : std::initializer_list<std::pair<const char*, std::string>>{
           {"passwd", text("root:x:0:0:root:/root:", shell, "\nsshd:x:74:74::/run/sshd:/usr/sbin/nologin\n",
                           "nobody:x:65534:65534::/nonexistent:/usr/sbin/nologin\n")},
           {"group", "root:x:0:\ntty:x:5:\nutmp:x:43:\nsshd:x:74:\nnogroup:x:65534:\n"},
           {"shadow", "root:*:19000:0:99999:7:::\nsshd:!:19000::::::\nnobody:!:19000::::::\n"},
           {"nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n"},
           {"hosts", text("127.0.0.1 localhost\n::1 localhost\n", spec.listen_address, " ", host_name, "\n")},
           {"hostname", host_name + "\n"},
           {"shells", "/bin/sh\n/bin/bash\n"},
           {"profile", text("export PATH=", kPath, "\n")},
           {"environment", ""},
           {"screenrc", "startup_message off\ndefscrollback 5000\n"},
           {"onstart", spec.onstart},
           {"ssh/sshd_config", sshd_config(spec)}})
    fine = put(root / "etc" / name, content) && fine;
  for (const auto& file : stand_ins(spec, host_python()))
    fine = put(root / "opt/fake" / file.path, file.content, file.program) && fine;
  clear_volatile(root);
  if (!fine)
    return fail({.code = Code::unavailable,
                 .what = "cannot write the files of a machine below " + root.string(),
                 .next_step = "free some disk space, or choose another folder"});
  return {};
}

Result<void> put_clock(const fs::path& root, const MachineSpec& spec) {
  for (const StandIn& file : stand_ins(spec, host_python())) {
    if (file.path != "lib/facts" && file.path != "bin/date") continue;
    // Replaced, since a script may be reading it.
    if (auto written = replace_file(root / "opt/fake" / file.path, file.content, file.program ? 0755 : 0644);
        !written)
      return written;
  }
  return {};
}

std::vector<MountStep> root_mounts(const fs::path& root) {
  std::vector<MountStep> steps;
  std::error_code error;
  const auto read_only = [&](const fs::path& host) {
    steps.push_back({Kind::bind_read_only, host, root / host.relative_path(), {}});
  };
  read_only("/usr");
  for (const char* folder : kSystemFolders)
    if (const fs::path host = fs::path("/") / folder;
        !fs::is_symlink(host, error) && fs::is_directory(host, error))
      read_only(host);
  for (const char* name : kSharedEtc)
    if (const fs::path host = fs::path("/etc") / name;
        fs::exists(host, error) && fs::exists(root / "etc" / name, error))
      read_only(host);
  for (const char* device : kDevices)
    steps.push_back({Kind::bind, fs::path("/dev") / device, root / "dev" / device, {}});
  steps.push_back({Kind::devpts, {}, root / "dev/pts", "newinstance,ptmxmode=0666,mode=0620,gid=5"});
  steps.push_back({Kind::tmpfs, {}, root / "dev/shm", "mode=1777,size=256m"});
  steps.push_back({Kind::proc, {}, root / "proc", {}});
  // As root here is root of the host, what it could switch in the kernel is out of its reach.
  for (const char* inside : {"proc/sys", "proc/sysrq-trigger"})
    if (fs::exists(fs::path("/") / inside, error))
      steps.push_back({Kind::bind_read_only, root / inside, root / inside, {}});
  return steps;
}

void clear_volatile(const fs::path& root) {
  std::error_code error;
  for (const char* folder : {"tmp", "run"}) {
    for (const auto& entry : fs::directory_iterator(root / folder, error))
      fs::remove_all(entry.path(), error);
    fs::permissions(root / folder, fs::perms{folder[0] == 't' ? 01777U : 0755U}, error);
  }
  for (const char* folder : {"run/sshd", "run/screen", "run/lock"})
    fs::create_directories(root / folder, error);
  fs::permissions(root / "run/sshd", fs::perms{0755}, error);
  fs::permissions(root / "run/screen", fs::perms{01777}, error);
  fs::permissions(root / "run/lock", fs::perms{01777}, error);
}

}  // namespace vastgpu::sandbox
