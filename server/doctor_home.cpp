// What can be checked without a network: folders, settings, keys, project, clients.

#include <sys/stat.h>
#include <sys/statvfs.h>

#include "analysis/analyse.h"
#include "core/files.h"
#include "core/text.h"
#include "server/client_command.h"
#include "server/doctor.h"

namespace vastgpu {
namespace {

// A ledger is small; results are not, and they come home below the project.
constexpr std::uint64_t kStateBytes = 100'000'000;
constexpr std::uint64_t kProjectBytes = 2'000'000'000;

std::optional<std::uint64_t> free_bytes(const std::filesystem::path& folder) {
  struct statvfs info {};
  if (::statvfs(folder.c_str(), &info) != 0) return std::nullopt;
  return static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize;
}

void check_space(const std::filesystem::path& folder, std::uint64_t wanted, const char* check, Checkup& f) {
  const auto room = free_bytes(folder);
  if (!room) return;
  if (*room < wanted)
    f.bad(check, "only " + bytes(*room) + " are free in " + folder.string(),
          "free some: df -h " + shell_quote(folder.string()));
  else
    f.good(check, bytes(*room) + " are free in " + folder.string());
}

void check_state(House& house, Checkup& f) {
  const auto folder = house.settings().state_folder;
  const auto probe = folder / "doctor-probe";
  if (auto written = replace_file(probe, "probe\n", 0600); !written) return f.take("state", written.error());
  std::error_code ignored;
  std::filesystem::remove(probe, ignored);
  f.good("state", "state folder " + folder.string() + " is writable");
  check_space(folder, kStateBytes, "disk", f);
}

void check_limits_file(const House& house, Checkup& f) {
  const std::string file = house.settings_file().string();
  auto settings = read_settings(file);
  if (!settings) return f.take("limits", settings.error());
  const AccountLimits* limits = &settings->limits;
  const auto dollars = [](const char* key, const std::optional<Usd>& limit) {
    return limit ? text(", ", key, " ", money(*limit)) : std::string();
  };
  const std::string set = dollars("max_usd_per_rental", limits->per_rental) +
                          dollars("max_usd_per_day", limits->per_day) +
                          dollars("max_usd_open", limits->open) +
                          (limits->machines ? text(", max_machines ", *limits->machines) : "");
  f.good("limits", limits->sets_dollars()
                       ? "limits from " + file + set
                       : text("no dollar limit in ", file, ": the defaults hold (", money(kDefaultPerRental),
                              " a rental, ", money(kDefaultPerDay),
                              " a day; a project's max_budget goes before)", set));
}

void check_key(const House& house, Checkup& f) {
  const auto key = house.key();
  if (!key) return f.take("key", key.error());
  f.good("key", "API key from " + key->place);
  if (key->place.ends_with("vast_tfa_key"))
    f.note("two-factor", "it is a session key of two-factor login; it expires, and rent says so when it has",
           "vastai tfa login");
  struct stat info {};
  if (key->place.starts_with('/') && ::stat(key->place.c_str(), &info) == 0 && (info.st_mode & 077) != 0)
    f.bad("key", "others on this computer may read " + key->place, "chmod 600 " + shell_quote(key->place));
}

void check_ssh_key(House& house, Checkup& f) {
  const auto ssh = house.connector().public_key();
  if (ssh)
    f.good("ssh-key", "SSH key: " + *ssh);
  else
    f.take("ssh-key", ssh.error());
}

void check_project(House& house, Checkup& f) {
  auto project = house.project(std::nullopt);
  if (!project)
    return f.note("project", project.error().what,
                  "cd into the folder that holds the code, then: vast-gpu doctor");
  const ProjectSettings settings = read_project_settings(*project);
  f.good(
      "project",
      "project " + project->string() +
          (settings.source.empty() ? ", no CLAUDE.md or AGENTS.md" : ", settings from " + settings.source) +
          (settings.max_budget ? ", max_budget " + money(*settings.max_budget) : ", no max_budget"));
  for (const std::string& warning : settings.warnings) f.bad("project", warning, "correct that line");
  if (auto entries = InstanceFile(*project, house.settings().state_folder / "locks").read(); entries)
    f.good("instances", "vast-instances.json: " + std::to_string(entries->size()) + " entries");
  else
    f.take("instances", entries.error());
  check_space(*project, kProjectBytes, "disk", f);
}

}  // namespace

void check_home(House& house, Checkup& f) {
  check_state(house, f);
  check_limits_file(house, f);
  check_key(house, f);
  check_ssh_key(house, f);
  check_project(house, f);
}

void check_clients(House& house, const std::string& program, Checkup& f) {
  bool known = false;
  for (const ClientSight& c : look_at_clients(house)) {
    const std::string again = "vast-gpu install " + c.client;
    if (!c.trouble.empty())
      f.bad("clients", c.client + ": " + c.trouble, "correct the file, then: " + again);
    else if (c.program.empty())
      f.note("clients", c.client + " does not know this program (" + c.file + ")", again);
    else if (!c.ours)
      f.note("clients", c.client + ": its entry vast-gpu starts something else: " + c.program,
             again + " --force");
    else if (!c.runs)
      f.bad("clients", c.client + " starts " + c.program + ", which cannot be run", again);
    else if (!c.other_settings.empty())
      f.note("clients",
             c.client + " starts it with another " + join(c.other_settings, ", ") + " than here (" + c.file +
                 ")",
             again);
    else if (std::error_code none;
             c.program != program && !std::filesystem::equivalent(c.program, program, none))
      f.note("clients", c.client + " starts another copy of this program: " + c.program, again);
    else
      f.good("clients", c.client + " knows this program (" + c.file + ")");
    known |= c.ours && c.runs;
  }
  if (!known) f.note("clients", "no MCP client starts this program yet", "vast-gpu install claude-code");
}

}  // namespace vastgpu
