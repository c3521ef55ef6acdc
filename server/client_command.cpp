#include "server/client_command.h"

#include <unistd.h>

#include <cstdio>

#include "clients/install.h"
#include "core/files.h"
#include "core/text.h"

namespace vastgpu {
namespace {

namespace fs = std::filesystem;

int not_done(const Error& e) {
  std::fprintf(stderr, "vast-gpu: %s; %s\n", e.what.c_str(), e.next_step.c_str());
  return 2;
}

ClientPlaces places_of(const House& house) { return {house.settings().home, {}, house.settings().variable}; }

/// The entry as it would stand in a new file.
std::string snippet(const KnownClient& client, const ServerStart& start) {
  return with_entry(client.format, "", client.path, client.entry(start), true, client.title).value_or("");
}

/// A client started from a menu does not see the shell's variables, so the key has to be in a file.
bool key_is_in_a_file(const House& house) {
  const ReadVariable& variable = house.settings().variable;
  const auto without = [&](const char* name) {
    return std::string_view(name) == "VAST_API_KEY" ? std::nullopt : variable(name);
  };
  return find_api_key(without, house.settings().home).has_value();
}

void say_where_the_key_is(const House& house) {
  if (key_is_in_a_file(house)) return;
  std::printf(
      "note  the API key is never written into a configuration, and no key file was found: put the key into "
      "%s (mode 600)\n",
      (house.settings().home / ".config/vastai/vast_api_key").c_str());
}

int report_install(const House& house, const InstallJob& job, const InstallReport& report, bool in_project) {
  const char* file = job.file.c_str();
  if (report.outcome == InstallOutcome::already) {
    std::printf("already: %s knows this program, in %s\n", job.client.title.c_str(), file);
    say_where_the_key_is(house);
    return 0;
  }
  if (job.dry_run) {
    std::printf("would change %s\n%s", file, report.change.c_str());
    return 0;
  }
  std::printf("%s knows this program now: %s\n%s", job.client.title.c_str(), file, report.change.c_str());
  if (!report.kept.empty()) std::printf("as it was: %s\n", report.kept.c_str());
  std::printf("next  %s\nundo  vast-gpu uninstall %s%s\n", job.client.then.c_str(), job.client.name.c_str(),
              in_project ? " --project" : "");
  say_where_the_key_is(house);
  return 0;
}

bool may_run(const fs::path& file) {
  std::error_code none;
  return fs::is_regular_file(file, none) && ::access(file.c_str(), X_OK) == 0;
}

/// A program that an entry names without a folder, as the system looks for it.
std::optional<std::string> found_in_path(const House& house, const std::string& name) {
  if (name.empty() || name.find('/') != std::string::npos) return std::nullopt;
  for (const std::string& folder : split(house.settings().variable("PATH").value_or(""), ':'))
    if (const fs::path file = fs::path(folder) / name; folder.starts_with('/') && may_run(file))
      return file.string();
  return std::nullopt;
}

int report_uninstall(const InstallJob& job, const InstallReport& report) {
  if (report.outcome == InstallOutcome::already)
    std::printf("nothing to change: no entry of ours in %s\n", job.file.c_str());
  else if (job.dry_run)
    std::printf("would %s %s\n%s", report.removed_file ? "remove" : "change", job.file.c_str(),
                report.change.c_str());
  else
    std::printf("%s %s\n%s", report.removed_file ? "removed, since nothing else was in it:" : "changed",
                job.file.c_str(), report.change.c_str());
  if (report.not_put_back.empty()) return 0;
  std::printf("ATTENTION: the entry that --force had displaced (%s) cannot be put back%s%s\n",
              clean_line(report.not_put_back, 200).c_str(), report.kept.empty() ? "" : "; it is in ",
              report.kept.c_str());
  return 1;
}

/// The names that a server started by the entry sees otherwise than one that install would enter now.
std::vector<std::string> other_settings(const House& house, const KnownClient& client, const json& entry) {
  const std::string field = environment_field(client);
  if (field.empty() || !entry.is_object()) return {};
  const json there = entry.value(field, json::object());
  const auto here = settings_to_hand_on(house);
  std::vector<std::string> names;
  for (const char* name : kHandedOn) {
    const auto set = here.find(name);
    const json wanted = set == here.end() ? json() : json(set->second);
    if ((there.is_object() ? there.value(name, json()) : json()) != wanted) names.emplace_back(name);
  }
  return names;
}

}  // namespace

int install_client(House& house, const std::string& name, const std::string& program,
                   const ClientOptions& options) {
  const KnownClient* client = find_client(name);
  if (client == nullptr || program.empty())
    return not_done({.what = "the system does not say where this program lies", .next_step = "mount /proc"});
  if (clean_line(program, 4096) != program)
    return not_done({.what = "the path of this program holds control characters",
                     .next_step = "install it somewhere else"});
  ClientPlaces places = places_of(house);
  // A project's configuration is shared: what is true on this computer only stays out of it.
  ServerStart start{program,
                    options.in_project ? decltype(ServerStart::variables){} : settings_to_hand_on(house)};
  if (options.print) {
    std::printf("%s", snippet(*client, start).c_str());
    return 0;
  }
  if (options.in_project) {
    auto project = house.project(std::nullopt);
    if (!project) return not_done(project.error());
    places.project = *project;
  }
  auto file = config_file(*client, places);
  if (!file) return not_done(file.error());
  const InstallJob job{*client,
                       *file,
                       house.settings().state_folder / "clients",
                       std::move(start),
                       options.force,
                       options.dry_run,
                       !options.in_project};
  auto report = options.remove ? uninstall_entry(real_disk(), job) : install_entry(real_disk(), job);
  if (!report) return not_done(report.error());
  if (report->outcome == InstallOutcome::foreign) {
    std::fprintf(stderr,
                 "vast-gpu: %s has an entry \"%s\" that starts something else (%s): kept; --force %s it\n",
                 file->c_str(), kEntryName, clean_line(report->other_program, 200).c_str(),
                 options.remove ? "removes" : "replaces");
    return 1;
  }
  return options.remove ? report_uninstall(job, *report)
                        : report_install(house, job, *report, options.in_project);
}

std::map<std::string, std::string> settings_to_hand_on(const House& house) {
  const HouseSettings& settings = house.settings();
  std::map<std::string, std::string> found;
  for (const char* name : kHandedOn)
    if (const auto value = settings.variable(name)) found[name] = *value;
  if (const auto base = found.find("XDG_CONFIG_HOME");
      base != found.end() && (!base->second.starts_with('/') || base->second == settings.home / ".config"))
    found.erase(base);
  // Two state folders are two ledgers and two sets of limits, so the place itself goes on, however it was
  // said.
  found.erase("VAST_GPU_STATE");
  if (settings.state_folder != settings.home / ".local/state/vast-gpu")
    found["VAST_GPU_STATE"] = settings.state_folder.string();
  return found;
}

std::vector<ClientSight> look_at_clients(const House& house) {
  std::vector<ClientSight> seen;
  for (const KnownClient& client : known_clients()) {
    const auto file = config_file(client, places_of(house));
    const auto read = file ? read_config(real_disk(), *file) : fail(file.error());
    if (read && !read->text) continue;
    ClientSight sight{client.name, file ? file->string() : "", {}, false, false, {}, {}};
    const auto view = read ? view_config(client.format, *read->text, client.path, sight.file)
                           : Result<ConfigView>(fail(read.error()));
    if (!view) {
      sight.trouble = view.error().what;
    } else if (view->entry) {
      sight.program = program_of(*view->entry);
      if (const auto found = found_in_path(house, sight.program)) sight.program = *found;
      sight.ours = is_ours(*view->entry);
      sight.runs = may_run(sight.program);
      sight.other_settings = other_settings(house, client, *view->entry);
    }
    seen.push_back(std::move(sight));
  }
  return seen;
}

}  // namespace vastgpu
