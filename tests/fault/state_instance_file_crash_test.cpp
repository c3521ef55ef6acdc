// The instance file when the power fails, the disk fills up, or several writers meet.

#include <sys/mman.h>

#include <atomic>
#include <thread>

#include "tests/support/state_disks.h"
#include "tests/support/state_forked.h"
#include "tests/support/state_instances.h"

using namespace vastgpu;
namespace fs = std::filesystem;

namespace {

const fs::path kFolder = "/project";
const fs::path kFile = kFolder / "vast-instances.json";

/// What a disk without troubles ends up with.
std::string after_put(const TempFolder& locks, bool there_before) {
  CrashingDisk disk(Renames::early, true);
  if (there_before) disk.add(kFile, kArisFile);
  REQUIRE(InstanceFile(kFolder, locks.path(), disk).put(sample_record(7)));
  REQUIRE(disk.names().size() == 1);
  return disk.content(kFile);
}

}  // namespace

TEST_CASE("wherever the power fails, the instance file reads back as before or as after") {
  const auto renames = GENERATE(Renames::early, Renames::late);
  const bool can_exchange = GENERATE(true, false);
  const bool there_before = GENERATE(true, false);
  const TempFolder locks;
  const std::string before = there_before ? kArisFile : "";
  const std::string after = after_put(locks, there_before);
  int steps = 0;
  for (bool promised = false; !promised; ++steps) {
    CAPTURE(static_cast<int>(renames), can_exchange, there_before, steps);
    CrashingDisk disk(renames, can_exchange);
    if (there_before) disk.add(kFile, kArisFile);
    disk.power_fails_after(steps);
    const InstanceFile file(kFolder, locks.path(), disk);
    promised = file.put(sample_record(7)).has_value();
    disk.restart();
    const std::string seen = disk.content(kFile);
    CHECK((seen == after || (seen == before && !promised)));

    REQUIRE(file.put(sample_record(7)));  // leftovers do not stop the next write
    disk.restart();
    CHECK(disk.content(kFile) == after);
  }
  CHECK(steps >= 5);  // write, sync, replace, sync_dir, and once without trouble
}

TEST_CASE("when one step fails without a crash, the file is whole and nothing is left beside it") {
  const bool can_exchange = GENERATE(true, false);
  const TempFolder locks;
  const std::string after = after_put(locks, true);
  int steps = 0;
  for (bool promised = false; !promised; ++steps) {
    CAPTURE(can_exchange, steps);
    CrashingDisk disk(Renames::late, can_exchange);
    disk.add(kFile, kArisFile);
    disk.one_step_fails_after(steps);
    const auto put = InstanceFile(kFolder, locks.path(), disk).put(sample_record(7));
    promised = put.has_value();
    if (!promised) CHECK(put.error().code == Code::unavailable);
    CHECK((disk.content(kFile) == after || (disk.content(kFile) == kArisFile && !promised)));
    CHECK(disk.names().size() == 1);
  }
}

TEST_CASE("wherever the power fails, a broken file stays as it is and its copy is whole or absent") {
  const auto renames = GENERATE(Renames::early, Renames::late);
  const TempFolder locks;
  const std::string broken = kArisFile.substr(0, 200);
  const fs::path copy = kFile.string() + ".broken-" + sha256_hex(broken).substr(0, 8);
  for (int steps = 0; steps < 6; ++steps) {
    CAPTURE(static_cast<int>(renames), steps);
    CrashingDisk disk(renames, true);
    disk.add(kFile, broken);
    disk.power_fails_after(steps);
    const auto put = InstanceFile(kFolder, locks.path(), disk).put(sample_record(7));
    REQUIRE_FALSE(put);
    const bool said = put.error().what.find("a copy is in") != std::string::npos;
    CHECK(said == (steps >= 4));  // write, sync, rename, sync_dir
    disk.restart();
    CHECK(disk.content(kFile) == broken);
    CHECK((disk.content(copy) == broken || (disk.content(copy).empty() && !said)));
  }
}

TEST_CASE("two of our processes and an editor share the file, and nobody's work is lost") {
  const Project project("[\n  {\"instance_id\": 1, \"edits\": []}\n]\n");
  {
    const auto a = project.folder.write("a", "");
    const auto b = project.folder.write("b", "");
    const auto can = real_disk().exchange(a, b);
    fs::remove(a), fs::remove(b);
    if (!can || !*can) {
      WARN("this file system cannot exchange files: the small window remains");
      return;
    }
  }
  struct Shared {
    std::atomic<int> puts[2];
    std::atomic<bool> stop;
  };
  void* memory = ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  REQUIRE(memory != MAP_FAILED);
  auto* shared = new (memory) Shared{};
  constexpr int kEnough = 1'000'000;
  std::vector<Forked> writers;
  for (int w = 0; w < 2; ++w)
    writers.emplace_back([&, w] {
      InstanceRecord record = sample_record(100 + w);
      const auto put = [&](const std::string& experiment) {
        record.experiment = experiment;
        const bool done = project.file().put(record).has_value();
        ++shared->puts[w];
        return done;
      };
      for (int i = 0; !shared->stop; ++i) {
        // In turns: nothing else would stop one of them from taking the lock again before the other wakes up.
        while (!shared->stop && shared->puts[w] > shared->puts[1 - w] + 1) std::this_thread::yield();
        if (!put("e" + std::to_string(i))) {
          shared->puts[w] = kEnough;  // lets the editor end
          return 1;
        }
      }
      return put("final") ? 0 : 2;  // repairs what the editor's older copy undid
    });

  constexpr int kEdits = 25;
  for (int n = 0; n < kEdits; ++n) {
    json now = project.parsed();  // any moment: always whole
    for (json& entry : now)
      if (entry.at("instance_id") == 1) entry["edits"].push_back(n);
    const int seen[2] = {shared->puts[0], shared->puts[1]};
    project.folder.write("editor.tmp", now.dump(2));
    fs::rename(project.folder.path() / "editor.tmp", project.path);
    // The next edit comes when writes that this one fell into are over: one edit in a write is what we
    // promise.
    for (const int w : {0, 1})
      while (shared->puts[w] < seen[w] + 2 && shared->puts[w] < kEnough) std::this_thread::yield();
  }
  shared->stop = true;
  for (Forked& writer : writers) CHECK(writer.exit_status() == 0);

  std::vector<int> wanted(kEdits);
  for (int n = 0; n < kEdits; ++n) wanted[static_cast<std::size_t>(n)] = n;
  std::set<std::string> finals;
  for (const json& entry : project.parsed()) {
    if (entry.at("instance_id") == 1)
      CHECK(entry.at("edits").get<std::vector<int>>() == wanted);
    else
      finals.insert(entry.at("instance_id").dump() + entry.at("experiment").get<std::string>());
  }
  CHECK(finals == std::set<std::string>{"100final", "101final"});
  CHECK(project.names().size() == 1);
  ::munmap(memory, sizeof(Shared));
}
