#pragma once
// A project folder with an instance file, for tests.

#include <fstream>

#include "core/files.h"
#include "state/instance_file.h"
#include "tests/support/catch.h"
#include "tests/support/temp_folder.h"

namespace vastgpu {

/// As ARIS writes it, with a number spelled its way, and one entry of somebody else.
inline const std::string kArisFile = R"([
  {
    "instance_id": 70010001,
    "offer_id": 60020002,
    "gpu_name": "RTX_4090",
    "num_gpus": 1,
    "dph": 0.3410,
    "ssh_url": "ssh://root@203.0.113.7:41022",
    "ssh_host": "203.0.113.7",
    "ssh_port": 41022,
    "created_at": "2026-10-02T08:15:00Z",
    "status": "running",
    "experiment": "m1_baseline_seed0",
    "estimated_hours": 3.5,
    "estimated_cost": 1.31
  }
]
)";

inline InstanceRecord sample_record(std::int64_t id) {
  InstanceRecord r;
  r.id = {id};
  r.offer = {60020003};
  r.gpu_name = "RTX 3090 Ti";
  r.num_gpus = 2;
  r.price = {0.18904999};
  r.ssh = {"198.51.100.9", 40222};
  r.created = TimePoint(std::chrono::seconds(1'790'928'000));
  r.status = "running";
  r.estimated_cost = Usd{1.25};
  return r;
}

struct Project {
  TempFolder folder;
  TempFolder locks;
  std::filesystem::path path = folder.path() / "vast-instances.json";

  explicit Project(const std::string& content = "") {
    if (!content.empty()) write(content);
  }
  void write(const std::string& content) const { folder.write("vast-instances.json", content); }
  std::string text() const { return read_file(path, 100'000'000).value_or("(no file)"); }
  json parsed() const { return json::parse(text()); }
  InstanceFile file(Disk& disk = real_disk()) const { return {folder.path(), locks.path(), disk}; }
  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto& entry : std::filesystem::directory_iterator(folder.path()))
      all.push_back(entry.path().filename());
    std::sort(all.begin(), all.end());
    return all;
  }
};

}  // namespace vastgpu
