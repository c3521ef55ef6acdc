// Installing into real files and undoing it.

#include <sys/stat.h>
#include <unistd.h>

#include "clients/install.h"
#include "core/files.h"
#include "tests/support/catch.h"
#include "tests/support/temp_folder.h"

using namespace vastgpu;
namespace fs = std::filesystem;

namespace {

struct Stage {
  TempFolder folder;
  ClientPlaces places{folder.path() / "home", {}, [](const char*) { return std::optional<std::string>(); }};

  InstallJob job(const KnownClient& client) const {
    return {
        client, *config_file(client, places), folder.path() / "state" / "clients", {"/usr/bin/vast-gpu", {}}};
  }
  InstallReport install(const InstallJob& job, Disk& disk = real_disk()) const {
    auto report = install_entry(disk, job);
    if (!report) FAIL(report.error().what);
    return *report;
  }
  InstallReport uninstall(const InstallJob& job) const {
    auto report = uninstall_entry(real_disk(), job);
    if (!report) FAIL(report.error().what);
    return *report;
  }
};

std::string content(const fs::path& file) { return read_file(file, 1 << 20).value_or("<none>"); }

/// Writes the file at the last moment, as an editor might.
class BusyDisk : public Disk {
 public:
  BusyDisk(fs::path file, int times) : file_(std::move(file)), left(times) {}
  Result<std::string> read(const fs::path& p, std::size_t n) override { return real_disk().read(p, n); }
  std::optional<unsigned> mode(const fs::path& p) override { return real_disk().mode(p); }
  Result<fs::path> resolve(const fs::path& p) override { return real_disk().resolve(p); }
  Result<void> write(const fs::path& p, std::string_view t, std::optional<unsigned> m) override {
    return real_disk().write(p, t, m);
  }
  Result<void> sync(const fs::path& p) override { return real_disk().sync(p); }
  Result<void> sync_dir(const fs::path& p) override { return real_disk().sync_dir(p); }
  Result<void> rename(const fs::path& a, const fs::path& b) override { return real_disk().rename(a, b); }
  Result<bool> rename_new(const fs::path& a, const fs::path& b) override {
    return real_disk().rename_new(a, b);
  }
  Result<bool> exchange(const fs::path& a, const fs::path& b) override {
    if (left > 0 && b == file_ && !inside_) {
      --left;
      inside_ = true;  // until ours is put back
      const std::string theirs = "{\n  \"edit\": " + std::to_string(left) + "\n}\n";
      REQUIRE(replace_file(file_, theirs));
    } else {
      inside_ = false;
    }
    return real_disk().exchange(a, b);
  }
  void remove(const fs::path& p) override { real_disk().remove(p); }
  void sweep(const fs::path&, const std::string&) override {}

 private:
  fs::path file_;
  bool inside_ = false;

 public:
  int left;
};

}  // namespace

TEST_CASE("every client: installed, installed again, and undone without a trace") {
  const Stage stage;
  for (const KnownClient& client : known_clients()) {
    const InstallJob job = stage.job(client);
    CAPTURE(client.name, job.file.string());
    CHECK(stage.install(job).outcome == InstallOutcome::done);
    const std::string written = content(job.file);
    CHECK(written.find("/usr/bin/vast-gpu") != std::string::npos);
    CHECK(written.find("KEY\":") == std::string::npos);
    CHECK(stage.install(job).outcome == InstallOutcome::already);
    CHECK(content(job.file) == written);
    CHECK(stage.uninstall(job).removed_file);
    CHECK_FALSE(fs::exists(job.file));
    CHECK_FALSE(fs::exists(stage.places.home));  // it was made for this file
    CHECK(stage.uninstall(job).outcome == InstallOutcome::already);
  }
  for (const auto& entry : fs::recursive_directory_iterator(stage.folder.path()))
    CHECK_FALSE(entry.is_regular_file());  // no record and no temporary file stays
}

TEST_CASE("a file that was there is given back byte for byte, permissions and link included") {
  const Stage stage;
  const std::string before = "{ \"mcpServers\" : {}   ,\n\n \"b\":1}";
  const InstallJob job = stage.job(*find_client("claude-code"));
  const fs::path real = stage.folder.write("dotfiles/claude.json", before);
  REQUIRE(::chmod(real.c_str(), 0640) == 0);
  fs::create_directories(job.file.parent_path());
  fs::create_symlink(real, job.file);

  CHECK(stage.install(job).kept.filename().string().ends_with(".before"));
  CHECK(fs::is_symlink(job.file));
  CHECK(content(real).find("vast-gpu") != std::string::npos);
  CHECK(real_disk().mode(real) == 0640U);
  CHECK_FALSE(stage.uninstall(job).removed_file);
  CHECK(fs::is_symlink(job.file));
  CHECK(content(real) == before);
  CHECK(real_disk().mode(real) == 0640U);
}

TEST_CASE("a folder that was made for the file goes with it, unless something else is in it by now") {
  const Stage stage;
  const InstallJob job = stage.job(*find_client("cursor"));
  fs::create_directories(stage.places.home);
  stage.install(job);
  stage.folder.write("home/.cursor/other", "x");
  CHECK(stage.uninstall(job).removed_file);
  CHECK(fs::exists(stage.places.home / ".cursor/other"));
}

TEST_CASE("what others wrote after us stays when ours goes") {
  const Stage stage;
  const InstallJob job = stage.job(*find_client("cursor"));
  stage.install(job);
  std::string text = content(job.file);
  text.insert(1, "\n  \"later\": true,");
  REQUIRE(replace_file(job.file, text));
  CHECK_FALSE(stage.uninstall(job).removed_file);
  CHECK(content(job.file) == "{\n  \"later\": true\n}\n");
}

TEST_CASE("somebody else's entry of our name is kept, unless forced, and comes back") {
  const Stage stage;
  InstallJob job = stage.job(*find_client("cursor"));
  const std::string before =
      "{\"mcpServers\": {\"vast-gpu\": {\"command\": \"python\", \"args\": [\"x.py\"]}}}\n";
  fs::create_directories(job.file.parent_path());
  REQUIRE(replace_file(job.file, before));
  const auto kept = stage.install(job);
  CHECK(kept.outcome == InstallOutcome::foreign);
  CHECK(kept.other_program == "python");
  CHECK(stage.uninstall(job).outcome == InstallOutcome::foreign);
  CHECK(content(job.file) == before);
  job.force = true;
  CHECK(stage.install(job).outcome == InstallOutcome::done);
  CHECK(content(job.file).find("python") == std::string::npos);
  job.force = false;
  std::string text = content(job.file);
  text.insert(1, "\"later\": 1, ");
  REQUIRE(replace_file(job.file, text));
  stage.uninstall(job);
  CHECK(content(job.file).find("\"python\"") != std::string::npos);
  CHECK(content(job.file).find("later") != std::string::npos);
  job.force = true;
  stage.install(job);
  REQUIRE(replace_file(job.file, before));  // put back by hand: then --force means this one
  CHECK(stage.uninstall(job).outcome == InstallOutcome::done);
  CHECK(content(job.file).find("python") == std::string::npos);
}

TEST_CASE("a file that we made is somebody else's once they wrote into it, also when we install again") {
  const Stage stage;
  InstallJob job = stage.job(*find_client("claude-code"));
  stage.install(job);
  std::string text = content(job.file);
  text.insert(1, "\n  \"oauthAccount\": 1,");
  REQUIRE(replace_file(job.file, text));
  job.start.program = "/elsewhere/vast-gpu";
  CHECK_FALSE(stage.install(job).kept.empty());
  CHECK_FALSE(stage.uninstall(job).removed_file);
  CHECK(content(job.file).find("oauthAccount") != std::string::npos);
  CHECK(content(job.file).find("vast-gpu") == std::string::npos);
}

TEST_CASE("a displaced entry comes back also when others wrote and we installed again") {
  const Stage stage;
  for (const char* name : {"cursor", "codex"}) {
    CAPTURE(name);
    InstallJob job = stage.job(*find_client(name));
    const bool toml = job.client.format == ConfigFormat::toml;
    fs::create_directories(job.file.parent_path());
    REQUIRE(replace_file(
        job.file,
        toml ? "[mcp_servers.vast-gpu]\ncommand = \"python\"\n\n[mcp_servers.vast-gpu.env]\nA = \"1\"\n"
             : R"({"mcpServers": {"vast-gpu": {"command": "python", "env": {"A": "1"}}}})"));
    job.force = true;
    stage.install(job);
    job.force = false;
    for (const char* program : {"/second/vast-gpu", "/third/vast-gpu"}) {
      std::string text = content(job.file);
      text.insert(toml ? 0 : 1, toml ? std::string("later") + program[1] + " = 1\n"
                                     : std::string("\"later") + program[1] + "\": 1, ");
      REQUIRE(replace_file(job.file, text));
      job.start.program = program;
      stage.install(job);
    }
    CHECK(stage.uninstall(job).not_put_back.empty());
    const auto view = view_config(job.client.format, content(job.file), job.client.path, "");
    REQUIRE(view);
    REQUIRE(view->entry);
    CHECK(*view->entry == json{{"command", "python"}, {"env", {{"A", "1"}}}});
    CHECK(content(job.file).find("laters") != std::string::npos);
    CHECK(content(job.file).find("latert") != std::string::npos);
  }
}

TEST_CASE("root leaves a user's configuration to that user") {
  if (::geteuid() != 0) return;
  const Stage stage;
  const InstallJob job = stage.job(*find_client("cursor"));
  fs::create_directories(job.file.parent_path());
  const auto owner = [&] {
    struct stat info {};
    REQUIRE(::stat(job.file.c_str(), &info) == 0);
    return info.st_uid;
  };
  REQUIRE(::chown(job.file.parent_path().c_str(), 1234, 1234) == 0);
  stage.install(job);
  CHECK(owner() == 1234);
  REQUIRE(replace_file(job.file, "{\"a\": 1}"));
  REQUIRE(::chown(job.file.c_str(), 1235, 1235) == 0);
  stage.install(job);
  CHECK(owner() == 1235);
}

TEST_CASE("what is shown of a change leaves out what shares its line") {
  const Stage stage;
  InstallJob job = stage.job(*find_client("claude-code"));
  fs::create_directories(job.file.parent_path());
  for (
      const char* before :
      {R"({"token": "hidden"})", R"({"mcpServers": {}, "token": "hidden"})",
       R"({"mcpServers": {"x": {"env": {"KEY": "hidden"}}}, "z": ["hidden"]})",
       R"({"z": "hidden", "mcpServers": {"vast-gpu": {"command": "/a/vast-gpu", "args": ["serve"]}}, "y": "hidden"})"}) {
    CAPTURE(before);
    REQUIRE(replace_file(job.file, before));
    const std::string added = stage.install(job).change, taken = stage.uninstall(job).change;
    CAPTURE(added, taken);
    CHECK(added.find("hidden") == std::string::npos);
    CHECK(taken.find("hidden") == std::string::npos);
    CHECK(added.find("/usr/bin/vast-gpu") != std::string::npos);
  }
}

TEST_CASE("a dry run shows the change and makes none; a broken file is left alone") {
  const Stage stage;
  InstallJob job = stage.job(*find_client("codex"));
  job.dry_run = true;
  CHECK(stage.install(job).change.find("+[mcp_servers.vast-gpu]\n") != std::string::npos);
  CHECK_FALSE(fs::exists(job.file));
  job.dry_run = false;
  fs::create_directories(job.file.parent_path());
  REQUIRE(replace_file(job.file, "a = [\n"));
  const auto refused = install_entry(real_disk(), job);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::corrupt);
  CHECK(content(job.file) == "a = [\n");
}

TEST_CASE("an edit in the last moment is seen, kept, and merged into") {
  const Stage stage;
  const InstallJob job = stage.job(*find_client("cursor"));
  fs::create_directories(job.file.parent_path());
  REQUIRE(replace_file(job.file, "{}\n"));
  BusyDisk busy(job.file, 2);
  CHECK(stage.install(job, busy).outcome == InstallOutcome::done);
  CHECK(busy.left == 0);
  CHECK(content(job.file).find("\"edit\": 0") != std::string::npos);
  CHECK(content(job.file).find("vast-gpu") != std::string::npos);
  stage.uninstall(job);
  CHECK(content(job.file) == "{\n  \"edit\": 0\n}\n");

  BusyDisk always(job.file, 1000);
  const auto given_up = install_entry(always, job);
  REQUIRE_FALSE(given_up);
  CHECK(given_up.error().code == Code::wrong_state);
}

TEST_CASE("an environment that the user gave our entry stays when the program moves") {
  const Stage stage;
  InstallJob job = stage.job(*find_client("vscode"));
  fs::create_directories(job.file.parent_path());
  REQUIRE(
      replace_file(job.file,
                   "{\"servers\": {\"vast-gpu\": {\"command\": \"/old/vast-gpu\", \"args\": [\"serve\"],\n"
                   "  \"env\": {\"MINE\": \"1\"} /* mine */}}}\n"));
  job.start.variables = {{"VAST_URL", "http://127.0.0.1:1"}};
  stage.install(job);
  CHECK(content(job.file).find("MINE") != std::string::npos);
  CHECK(content(job.file).find("VAST_URL") != std::string::npos);
  CHECK(content(job.file).find("/* mine */") != std::string::npos);
}

TEST_CASE("a setting of ours that is not set any more leaves the entry, what the user added stays") {
  const Stage stage;
  for (const char* name : {"cursor", "opencode"}) {
    CAPTURE(name);
    InstallJob job = stage.job(*find_client(name));
    job.stale_settings_go = true;
    job.start.variables = {{"VAST_URL", "http://127.0.0.1:9"}, {"VAST_GPU_CLOCK", "60@1"}};
    stage.install(job);
    std::string text = content(job.file);
    text.insert(text.find("\"VAST_URL\""), "\"MINE\": \"1\", ");
    REQUIRE(replace_file(job.file, text));
    job.start.variables.clear();
    CHECK(stage.install(job).outcome == InstallOutcome::done);
    const auto view = view_config(job.client.format, content(job.file), job.client.path, "");
    REQUIRE(view);
    CHECK((*view->entry)[environment_field(job.client)] == json{{"MINE", "1"}});
    CHECK(stage.install(job).outcome == InstallOutcome::already);
  }
}

TEST_CASE("a project's configuration, where a client has one") {
  Stage stage;
  stage.places.project = stage.folder.path() / "project";
  CHECK(*config_file(*find_client("vscode"), stage.places) == stage.places.project / ".vscode/mcp.json");
  CHECK_FALSE(config_file(*find_client("windsurf"), stage.places));
  stage.folder.write("project/opencode.jsonc", "{}");
  CHECK(config_file(*find_client("opencode"), stage.places)->filename() == "opencode.jsonc");
}
