#include "fleet/ssh_lines.h"

#include "core/files.h"
#include "core/text.h"
#include "fleet/guard.h"
#include "fleet/host_key.h"

namespace vastgpu {
namespace {

/// A path as the value of an option of ssh, which takes "%" for its own marks and splits at blanks.
std::string option_path(const std::filesystem::path& path) {
  std::string out;
  bool blank = false;
  for (const char c : path.string()) {
    out += c;
    if (c == '%') out += c;
    blank |= c == ' ' || c == '\t';
  }
  return blank ? "\"" + out + "\"" : out;
}

/// What ssh, scp and rsync have in common: our key, and the pinned host key under the rental's own name,
/// since addresses change and are given to others.
std::vector<std::string> options(const Deps& d, const Rental& rental) {
  std::vector<std::string> words;
  // That key alone: servers hang up at six, and an agent may hold more.
  if (!d.settings.ssh_key.empty()) words = {"-i", d.settings.ssh_key.string(), "-o", "IdentitiesOnly=yes"};
  for (const std::string& option :
       {"UserKnownHostsFile=" + option_path(known_hosts_file(d, rental)), "HostKeyAlias=" + rental.label,
        std::string("StrictHostKeyChecking=yes")}) {
    words.emplace_back("-o");
    words.push_back(option);
  }
  return words;
}

std::string line_of(const std::vector<std::string>& words) {
  std::string line;
  for (const std::string& word : words) {
    const bool plain = !word.empty() && word.find_first_not_of(
                                            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                            "-_=+./:@,%") == std::string::npos;
    line += (line.empty() ? "" : " ") + (plain ? word : shell_quote(word));
  }
  return line;
}

std::string host_word(const std::string& host) {
  return "root@" + (host.find(':') == std::string::npos ? host : "[" + host + "]");
}

}  // namespace

std::filesystem::path known_hosts_file(const Deps& d, const Rental& rental) {
  return d.settings.state_folder / "known_hosts" / rental.label;
}

Result<void> pin_for_people(const Deps& d, const Rental& rental) {
  if (auto trusted = check_host_key(rental); !trusted) return trusted;
  if (rental.status != Status::ready || !rental.ssh || rental.host_key_line.empty())
    return fail({.code = Code::wrong_state,
                 .what = text("SSH to this machine is not open (it is ", to_string(rental.status), ")"),
                 .next_step = "call monitor once it is ready, or list to see what is rented"});
  const auto file = known_hosts_file(d, rental);
  const std::string content = rental.label + " " + rental.host_key_line + "\n";
  if (const auto have = read_file(file, 1 << 16); have && *have == content) return {};
  std::error_code bad;
  std::filesystem::create_directories(file.parent_path(), bad);
  return replace_file(file, content, 0600);
}

std::vector<std::string> ssh_words(const Deps& d, const Rental& rental) {
  std::vector<std::string> words{"ssh", "-p", std::to_string(rental.ssh->port)};
  for (std::string& word : options(d, rental)) words.push_back(std::move(word));
  words.push_back("root@" + rental.ssh->host);
  return words;
}

SshLines ssh_lines(const Deps& d, const Rental& rental) {
  const auto common = options(d, rental);
  const std::string results = host_word(rental.ssh->host) + ":" + kRemoteProject + "/results/";
  std::vector<std::string> scp{"scp", "-r", "-P", std::to_string(rental.ssh->port)};
  std::vector<std::string> through{"ssh", "-p", std::to_string(rental.ssh->port)};
  for (auto* words : {&scp, &through}) words->insert(words->end(), common.begin(), common.end());
  scp.push_back(results + ".");
  scp.emplace_back("results/");
  return {line_of(ssh_words(d, rental)), line_of(scp),
          line_of({"rsync", "-az", "-e", line_of(through), results, "results/"})};
}

json to_facts(const SshLines& lines) {
  return {{"ssh", lines.ssh}, {"scp", lines.scp}, {"rsync", lines.rsync}};
}

}  // namespace vastgpu
